package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestFirstStart(t *testing.T) {
	s := startServer(t)
	t.Logf("first start to serving: %v", s.took)
	if status, body := s.do("PUT", "/dav/a.txt", s.token("ann"), "hi"); status != http.StatusCreated {
		t.Fatalf("PUT = %d %s", status, body)
	}
	s.stop()
	s.restart()
	t.Logf("second start: %v", s.took)
	if status, body := s.do("GET", "/dav/a.txt", s.sessionToken("ann", "after-restart"), ""); status != http.StatusOK || body != "hi" {
		t.Errorf("GET after restart = %d %q, want 200 hi", status, body)
	}
}

func TestKilledServerServesAgain(t *testing.T) {
	s := startServer(t)
	token := s.token("ann")
	if status, body := s.do("PUT", "/dav/a.txt", token, "hi"); status != http.StatusCreated {
		t.Fatalf("PUT = %d %s", status, body)
	}
	s.kill()
	if _, err := os.Stat(controlSocket(s.dir)); err != nil {
		t.Fatalf("the killed server left no socket to replace: %v", err)
	}
	s.restart()
	if status, body := s.do("GET", "/dav/a.txt", token, ""); status != http.StatusOK || body != "hi" {
		t.Errorf("GET after kill = %d %q, want 200 hi", status, body)
	}
	if got := s.varve("session", "list"); !strings.HasPrefix(got, "ID") {
		t.Errorf("session list over the new socket = %q", got)
	}
}

func TestSignalLetsRequestsEnd(t *testing.T) {
	s := startServer(t)
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	head := "PUT /dav/slow.txt HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\nAuthorization: Bearer " + s.token("ann") + "\r\n\r\n"
	buf := make([]byte, 1024)
	if _, err := conn.Write([]byte(head)); err != nil {
		t.Fatal(err)
	}
	n, err := conn.Read(buf) // 100 Continue: the request is being served
	if err != nil || !strings.Contains(string(buf[:n]), " 100 ") {
		t.Fatalf("after the header: %q, %v; want 100 Continue", buf[:n], err)
	}
	if err := s.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	for { // until it takes no new connections
		c, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		if err != nil {
			break
		}
		c.Close()
	}
	if _, err := conn.Write([]byte("last")); err != nil {
		t.Fatal(err)
	}
	if n, err = conn.Read(buf); err != nil || !strings.Contains(string(buf[:n]), " 201 ") {
		t.Errorf("request begun before the signal: %q, %v; want 201", buf[:n], err)
	}
	if err := s.ended(); err != nil {
		t.Errorf("server ended with %v", err)
	}
	if log := s.log(); !strings.Contains(log, "waiting up to 10s") || !strings.Contains(log, `"requests":1`) {
		t.Errorf("the server did not say that it waits for a request:\n%s", log)
	}
}

func TestSecondSignalEndsAtOnce(t *testing.T) {
	s := startServer(t, "--drain", "1h")
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	head := "PUT /dav/never.txt HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\nAuthorization: Bearer " + s.token("ann") + "\r\n\r\n"
	if _, err := conn.Write([]byte(head)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 1024)); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.ended() }()
	// The first signal restores the default, so any later one ends the process.
	for {
		if err := s.cmd.Process.Signal(os.Interrupt); err != nil {
			break
		}
	}
	if err := <-ended; err == nil {
		t.Error("server ended well, want it ended by the signal")
	}
}

func TestHTTPSWithRenewedCertificate(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writeCertificate(t, cert, key, "first")
	s := startServer(t, "--tls-cert", cert, "--tls-key", key)
	if !strings.HasPrefix(s.url, "https://") {
		t.Fatalf("URL = %s, want https", s.url)
	}
	if name, proto := peerOf(t, s.url); name != "first" || proto != "HTTP/2.0" {
		t.Errorf("certificate %q over %s, want first over HTTP/2.0", name, proto)
	}
	writeCertificate(t, cert, key, "second")
	later := time.Now().Add(time.Hour) // file systems with coarse clocks
	if err := os.Chtimes(cert, later, later); err != nil {
		t.Fatal(err)
	}
	if name, _ := peerOf(t, s.url); name != "second" {
		t.Errorf("certificate after renewal = %q, want second", name)
	}
	if err := os.WriteFile(cert, []byte("half a fi"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if name, _ := peerOf(t, s.url); name != "second" {
			t.Errorf("certificate while the file is damaged = %q, want second", name)
		}
	}
	s.stop()
	if n := strings.Count(s.log(), "the new certificate cannot be used"); n != 1 {
		t.Errorf("the server warned %d times of one damaged file, want once", n)
	}
}

// peerOf is the name in the certificate of a server, and the protocol spoken.
func peerOf(t *testing.T, url string) (name, proto string) {
	t.Helper()
	transport := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	defer transport.CloseIdleConnections()
	answer, err := (&http.Client{Transport: transport}).Get(url + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	return answer.TLS.PeerCertificates[0].Subject.CommonName, answer.Proto
}

func writeCertificate(t *testing.T, certFile, keyFile, name string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{keyFile: {Type: "PRIVATE KEY", Bytes: der}, certFile: {Type: "CERTIFICATE", Bytes: cert}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
