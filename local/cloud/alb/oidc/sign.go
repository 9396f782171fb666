package oidc

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"path"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// signatureAge is how long an application may take a signed header for new. AWS publishes no number.
const signatureAge = 2 * time.Minute

// Signer signs the claims for the target.
type Signer struct {
	key    *ecdsa.PrivateKey
	id     string
	public []byte // PEM
}

func newSigner() (*Signer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return nil, err
	}
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	return &Signer{
		key:    key,
		id:     fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:]),
		public: pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}),
	}, nil
}

// header is the first part of the signed header.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/listener-authenticate-users.html#user-claims-encoding
type header struct {
	Algorithm string `json:"alg"`
	KeyID     string `json:"kid"`
	Signer    string `json:"signer"`
	Issuer    string `json:"iss"`
	Client    string `json:"client"`
	Expiry    int64  `json:"exp"`
}

// sign makes a JSON web token whose parts are padded, which is why no library makes it: JOSE forbids the padding, and a
// load balancer writes and signs it.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/listener-authenticate-users.html#user-claims-encoding
func (s *Signer) sign(claims json.RawMessage, action Action, now time.Time) (string, error) {
	first, err := json.Marshal(header{"ES256", s.id, action.Signer, aws.ToString(action.Issuer), aws.ToString(action.ClientId), now.Add(signatureAge).Unix()})
	if err != nil {
		return "", err
	}
	signed := base64.URLEncoding.EncodeToString(first) + "." + base64.URLEncoding.EncodeToString(claims)
	digest := sha256.Sum256([]byte(signed))
	r, v, err := ecdsa.Sign(rand.Reader, s.key, digest[:])
	if err != nil {
		return "", err
	}
	// Both numbers in full length: https://www.rfc-editor.org/rfc/rfc7518#section-3.4
	signature := append(r.FillBytes(make([]byte, 32)), v.FillBytes(make([]byte, 32))...)
	return signed + "." + base64.URLEncoding.EncodeToString(signature), nil
}

// ServeHTTP answers with the public key that the last part of the path names.
func (s *Signer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if path.Base(r.URL.Path) != s.id {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/x-pem-file")
	_, _ = w.Write(s.public)
}
