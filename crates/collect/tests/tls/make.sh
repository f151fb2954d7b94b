#!/usr/bin/env bash
# Makes the certificates of the TLS tests: an authority of its own, and leaves that are good, out of date, and for another
# name. They protect nothing. Run again only if a test wants another leaf.
set -euo pipefail
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
touch "$work/index"
cat > "$work/config" <<CONFIG
[ca]
default_ca = test
[test]
database = $work/index
new_certs_dir = $work
default_md = sha256
policy = any
rand_serial = yes
unique_subject = no
[any]
commonName = supplied
[authority]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign
subjectKeyIdentifier = hash
CONFIG
key() { openssl ecparam -name prime256v1 -genkey -noout | openssl pkcs8 -topk8 -nocrypt -out "$1"; }
sign() { openssl ca -batch -notext -config "$work/config" "$@" 2>/dev/null; }
key "$work/ca.key"
openssl req -new -key "$work/ca.key" -subj "/CN=Test authority" -out "$work/ca.csr"
sign -selfsign -keyfile "$work/ca.key" -in "$work/ca.csr" -out ca.pem -extensions authority \
  -startdate 20200101000000Z -enddate 21200101000000Z
leaf() { # file, name, until
  printf '[leaf]\nsubjectAltName = DNS:%s\nbasicConstraints = CA:FALSE\nextendedKeyUsage = serverAuth\n' "$2" > "$work/leaf"
  key "$1.key"
  openssl req -new -key "$1.key" -subj "/CN=$2" -out "$work/leaf.csr"
  sign -cert ca.pem -keyfile "$work/ca.key" -in "$work/leaf.csr" -out "$1.pem" -extfile "$work/leaf" -extensions leaf \
    -startdate 20200101000000Z -enddate "$3"
}
leaf good saas.example 21200101000000Z
leaf expired saas.example 20210101000000Z
leaf other other.example 21200101000000Z
# Of a registered application, which signs with its key: RSA, as Entra wants it. The test knows its thumbprint:
# openssl x509 -in client.pem -outform DER | openssl dgst -sha256 -binary | openssl base64 -A | tr '+/' '-_' | tr -d =
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out client.key 2>/dev/null
openssl req -new -x509 -key client.key -subj "/CN=Parapet" -days 36500 -sha256 -out client.pem
