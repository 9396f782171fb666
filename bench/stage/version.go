package stage

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"regexp"
	"time"
)

var dotted = regexp.MustCompile(`\d+\.\d+(\.\d+)?`)

// number finds the version in what a program prints about itself.
func number(text string) string { return dotted.FindString(text) }

// certificate writes cert.pem, key.pem and both in both.pem: of the kind that the
// sidecar makes for itself, so that all have the same work with it.
func certificate(folder string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "bench"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(30 * 24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	private := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
	var errs []error
	for name, text := range map[string][]byte{"cert.pem": cert, "key.pem": private, "both.pem": append(append([]byte{}, cert...), private...)} {
		errs = append(errs, os.WriteFile(filepath.Join(folder, name), text, 0o644))
	}
	return errors.Join(errs...)
}
