package main

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

// What all servers of a cluster share, kept in the datastore as k3s keeps it: one key, named by a
// hash of the token and encrypted with it. File contents by the file's name.
type shared map[string][]byte

// How long to wait for kine, which may be starting beside us.
const datastoreTimeout = 20 * time.Second

const bootstrapPrefix = "/bootstrap/"

var errOtherToken = errors.New("bootstrap data already found and encrypted with different token")

// obtainShared reads the cluster's shared files, or stores those that `create` makes if there are none.
// Of two servers that start at once, one stores and both read the same.
func obtainShared(endpoint, token string, create func() (shared, error)) (shared, error) {
	if !strings.HasPrefix(endpoint, "http://") {
		return nil, fmt.Errorf("datastore-endpoint %q: the stand-in takes http:// endpoints only", endpoint)
	}
	ctx, cancel := context.WithTimeout(context.Background(), datastoreTimeout)
	defer cancel()
	client, err := clientv3.New(clientv3.Config{
		Endpoints: strings.Split(endpoint, ","), DialTimeout: 5 * time.Second, Context: ctx, Logger: zap.NewNop(),
	})
	if err != nil {
		return nil, fmt.Errorf("datastore %s: %w", endpoint, err)
	}
	defer client.Close()
	found, err := readShared(ctx, client, token)
	if err != nil || found != nil {
		return found, err
	}
	fresh, err := create()
	if err != nil {
		return nil, err
	}
	if err := storeShared(ctx, client, token, fresh); err != nil {
		return nil, err
	}
	return readShared(ctx, client, token)
}

// readShared returns nil if no server has stored anything yet.
func readShared(ctx context.Context, client *clientv3.Client, token string) (shared, error) {
	var err error
	var answer *clientv3.GetResponse
	for {
		try, cancel := context.WithTimeout(ctx, 2*time.Second)
		answer, err = client.Get(try, bootstrapPrefix, clientv3.WithPrefix())
		cancel()
		if err == nil || ctx.Err() != nil {
			break
		}
		time.Sleep(200 * time.Millisecond)
	}
	if err != nil {
		return nil, fmt.Errorf("failed to get bootstrap data from the datastore: %w", err)
	}
	for _, pair := range answer.Kvs {
		if string(pair.Key) == storageKey(token) {
			return decrypt(token, string(pair.Value))
		}
	}
	if len(answer.Kvs) > 0 {
		return nil, errOtherToken
	}
	return nil, nil
}

func storeShared(ctx context.Context, client *clientv3.Client, token string, files shared) error {
	key := storageKey(token)
	value, err := encrypt(token, files)
	if err != nil {
		return err
	}
	absent := clientv3.Compare(clientv3.ModRevision(key), "=", 0)
	_, err = client.Txn(ctx).If(absent).Then(clientv3.OpPut(key, value)).Commit()
	if err != nil {
		return fmt.Errorf("failed to store bootstrap data: %w", err)
	}
	return nil
}

func storageKey(token string) string {
	digest := sha256.Sum256([]byte(token))
	return bootstrapPrefix + hex.EncodeToString(digest[:])[:12]
}

func sealer(token string, salt []byte) (cipher.AEAD, error) {
	key, err := pbkdf2.Key(sha1.New, token, salt, 4096, 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// encrypt gives SALT:BASE64(NONCE CIPHERTEXT), the salt being hex text that is used as it stands.
func encrypt(token string, files shared) (string, error) {
	plain, err := json.Marshal(files)
	if err != nil {
		return "", err
	}
	raw := make([]byte, 8)
	rand.Read(raw)
	salt := hex.EncodeToString(raw)
	seal, err := sealer(token, []byte(salt))
	if err != nil {
		return "", err
	}
	nonce := make([]byte, seal.NonceSize())
	rand.Read(nonce)
	return salt + ":" + base64.StdEncoding.EncodeToString(seal.Seal(nonce, nonce, plain, nil)), nil
}

func decrypt(token, value string) (shared, error) {
	salt, text, _ := strings.Cut(value, ":")
	sealed, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("bootstrap data: %w", err)
	}
	seal, err := sealer(token, []byte(salt))
	if err != nil {
		return nil, err
	}
	if len(sealed) < seal.NonceSize() {
		return nil, errors.New("bootstrap data: too short")
	}
	plain, err := seal.Open(nil, sealed[:seal.NonceSize()], sealed[seal.NonceSize():], nil)
	if err != nil {
		return nil, errOtherToken
	}
	files := shared{}
	return files, json.Unmarshal(plain, &files)
}
