package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
)

// variables are what comes instead of an HTTP request, in the order in which it came.
type variables [][2]string

func (v variables) get(name string) string {
	for _, each := range v {
		if each[0] == name {
			return each[1]
		}
	}
	return ""
}

// head writes the variables as the request that they stand for. What is no header of a client is one that begins with Cgi-.
func (v variables) head() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %s\r\n", v.get("REQUEST_METHOD"), v.get("REQUEST_URI"), v.get("SERVER_PROTOCOL"))
	for _, each := range v {
		name, isHeader := strings.CutPrefix(each[0], "HTTP_")
		if !isHeader {
			name = "CGI_" + name
		}
		fmt.Fprintf(&b, "%s: %s\r\n", strings.ReplaceAll(name, "_", "-"), each[1])
	}
	return b.String() + "\r\n"
}

// serveCGI answers the one request of a connection.
func (r *recorder) serveCGI(c net.Conn, n int) {
	defer r.end(c)
	br := bufio.NewReaderSize(c, 64<<10)
	read := readUWSGI
	answerTo := net.Conn(c)
	if r.protocol == "fastcgi" {
		read = readFastCGI
		answerTo = &fastCGIConn{Conn: c}
	}
	v, body, err := read(br)
	if v == nil && err != nil {
		return
	}
	head := v.head()
	r.note(record{Conn: n, Head: head, Body: body})
	if err == nil && r.answer(answerTo, br, parse(head), n) && r.protocol == "fastcgi" {
		_, _ = c.Write(fastCGIRecord(fastCGIEnd, make([]byte, 8)))
	}
}

// readUWSGI reads a request of uWSGI's protocol.
// https://uwsgi-docs.readthedocs.io/en/latest/Protocol.html
func readUWSGI(br *bufio.Reader) (variables, int, error) {
	var start [4]byte
	if _, err := io.ReadFull(br, start[:]); err != nil {
		return nil, 0, err
	}
	block := make([]byte, binary.LittleEndian.Uint16(start[1:3]))
	if _, err := io.ReadFull(br, block); err != nil {
		return nil, 0, err
	}
	v := variables{{"MODIFIERS", fmt.Sprint(start[0], start[3])}}
	word := func() string {
		size := int(binary.LittleEndian.Uint16(block))
		text := string(block[2 : 2+size])
		block = block[2+size:]
		return text
	}
	for len(block) > 0 {
		v = append(v, [2]string{word(), word()})
	}
	size, _ := strconv.Atoi(v.get("CONTENT_LENGTH"))
	n, err := io.CopyN(io.Discard, br, int64(size))
	return v, int(n), err
}

// Types of records.
// https://fastcgi-archives.github.io/FastCGI_Specification.html#S8
const (
	fastCGIBegin  = 1
	fastCGIEnd    = 3
	fastCGIParams = 4
	fastCGIIn     = 5
	fastCGIOut    = 6
)

func readFastCGI(br *bufio.Reader) (variables, int, error) {
	var params, body []byte
	for {
		var start [8]byte
		if _, err := io.ReadFull(br, start[:]); err != nil {
			return nil, 0, err
		}
		content := make([]byte, int(binary.BigEndian.Uint16(start[4:6]))+int(start[6]))
		if _, err := io.ReadFull(br, content); err != nil {
			return nil, 0, err
		}
		content = content[:len(content)-int(start[6])]
		switch kind := start[1]; {
		case kind == fastCGIBegin:
		case kind == fastCGIParams:
			params = append(params, content...)
		case kind == fastCGIIn && len(content) > 0:
			body = append(body, content...)
		case kind == fastCGIIn:
			v, err := fastCGIVariables(params)
			return v, len(body), err
		default:
			return nil, 0, fmt.Errorf("record of type %d", kind)
		}
	}
}

func fastCGIVariables(block []byte) (v variables, err error) {
	size := func() int {
		if len(block) > 0 && block[0] < 128 {
			n := int(block[0])
			block = block[1:]
			return n
		}
		if len(block) < 4 {
			err = errors.New("half a length")
			return 0
		}
		n := int(binary.BigEndian.Uint32(block) &^ (1 << 31))
		block = block[4:]
		return n
	}
	for len(block) > 0 && err == nil {
		name, value := size(), size()
		if name+value > len(block) {
			return v, errors.New("half a variable")
		}
		v = append(v, [2]string{string(block[:name]), string(block[name : name+value])})
		block = block[name+value:]
	}
	return v, err
}

func fastCGIRecord(kind byte, content []byte) []byte {
	return slices.Concat([]byte{1, kind, 0, 1, byte(len(content) >> 8), byte(len(content)), 0, 0}, content)
}

// fastCGIConn turns an answer in HTTP into one of CGI in records.
type fastCGIConn struct {
	net.Conn
	begun bool
}

func (c *fastCGIConn) Write(answer []byte) (int, error) {
	text := answer
	if !c.begun {
		text = bytes.Replace(text, []byte("HTTP/1.1 "), []byte("Status: "), 1)
		c.begun = true
	}
	for part := range slices.Chunk(text, 1<<15) {
		if _, err := c.Conn.Write(fastCGIRecord(fastCGIOut, part)); err != nil {
			return 0, err
		}
	}
	return len(answer), nil
}
