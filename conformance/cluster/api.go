package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"
)

// api asks the API server how it is.
type api struct {
	client *http.Client
	url    string
}

func newAPI(c cluster) (api, error) {
	r, err := c.read()
	if err != nil {
		return api{}, err
	}
	bearer, err := tls.LoadX509KeyPair(c.path("pki", "admin.crt"), c.path("pki", "admin.key"))
	if err != nil {
		return api{}, err
	}
	root, err := os.ReadFile(c.path("pki", "ca.crt"))
	if err != nil {
		return api{}, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(root) {
		return api{}, errors.New("pki/ca.crt holds no certificate")
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{bearer}}}
	return api{
		client: &http.Client{Transport: transport, Timeout: 5 * time.Second},
		url:    fmt.Sprintf("https://%s:6443/readyz", r.Network.Node),
	}, nil
}

func (a api) ready() error {
	answer, err := a.client.Get(a.url)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", a.url, answer.Status)
	}
	return nil
}
