package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"time"
)

const (
	authorityLife = 10 * 365 * 24 * time.Hour
	leafLife      = 365 * 24 * time.Hour
	// Hosts' clocks differ: a certificate that is valid from this very second is refused by some.
	backdate = 24 * time.Hour
)

// The names of the shared files, as k3s has them under server/tls.
var authorityNames = []string{"server-ca", "client-ca", "request-header-ca"}

// createShared makes what a cluster's first server makes: three authorities and the key that signs
// service account tokens.
func createShared() (shared, error) {
	files := shared{}
	for _, name := range authorityNames {
		certificate, key, err := newAuthority("k3s-" + name)
		if err != nil {
			return nil, err
		}
		files[name+".crt"], files[name+".key"] = certificate, key
	}
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	files["service.key"], err = encodeKey(key)
	return files, err
}

func newAuthority(name string) (certificate, key []byte, err error) {
	private, err := newKey()
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber:          serial(),
		Subject:               pkix.Name{CommonName: fmt.Sprintf("%s@%d", name, time.Now().Unix())},
		NotBefore:             time.Now().Add(-backdate),
		NotAfter:              time.Now().Add(authorityLife),
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment | x509.KeyUsageCertSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		return nil, nil, err
	}
	key, err = encodeKey(private)
	return encodeCertificate(der), key, err
}

// leaf is what a certificate is for.
type leaf struct {
	commonName   string
	organization []string
	usage        x509.ExtKeyUsage
	names        []string // DNS names and addresses
}

// issue makes a certificate and its key, signed by one of the shared authorities.
func issue(files shared, authority string, want leaf) (certificate, key []byte, err error) {
	signer, signerKey, err := readAuthority(files, authority)
	if err != nil {
		return nil, nil, err
	}
	private, err := newKey()
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial(),
		Subject:      pkix.Name{CommonName: want.commonName, Organization: want.organization},
		NotBefore:    signer.NotBefore,
		NotAfter:     time.Now().Add(leafLife),
		KeyUsage:     x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
		ExtKeyUsage:  []x509.ExtKeyUsage{want.usage},
	}
	for _, name := range want.names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, signer, private.Public(), signerKey)
	if err != nil {
		return nil, nil, err
	}
	key, err = encodeKey(private)
	return encodeCertificate(der), key, err
}

func readAuthority(files shared, name string) (*x509.Certificate, crypto.Signer, error) {
	block, _ := pem.Decode(files[name+".crt"])
	keyBlock, _ := pem.Decode(files[name+".key"])
	if block == nil || keyBlock == nil {
		return nil, nil, errors.New("bootstrap data has no " + name)
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, nil, err
	}
	key, err := x509.ParseECPrivateKey(keyBlock.Bytes)
	return certificate, key, err
}

func newKey() (*ecdsa.PrivateKey, error) {
	return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
}

func encodeKey(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalECPrivateKey(key)
	return pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), err
}

func encodeCertificate(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func serial() *big.Int {
	number, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		panic(err)
	}
	return number
}
