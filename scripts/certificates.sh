#!/usr/bin/env bash
# Certificates for trying TLS between services on one machine: an authority, and for each name a certificate with the identity
# spiffe://signaux-faibles/NAME that 127.0.0.1 and localhost may show. Not for production: keys lie beside each other, unprotected.
#
# Usage: certificates.sh FOLDER NAME...      Files that exist are kept; remove NAME.pem to issue it anew. DAYS=30 is how long they hold.
set -euo pipefail

[ $# -ge 2 ] || { sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2; exit 64; }
folder=$1
shift
days=${DAYS:-30}
umask 077
mkdir -p "$folder"
cd "$folder"

key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1" 2>/dev/null; }

if [ ! -e ca.pem ]; then
    key ca.key
    openssl req -x509 -new -key ca.key -days "$days" -subj "/CN=signaux-faibles trial authority" -out ca.pem
fi
for name in "$@"; do
    [ ! -e "$name.pem" ] || continue
    key "$name.key"
    names="subjectAltName=IP:127.0.0.1,DNS:localhost,URI:spiffe://signaux-faibles/$name"
    openssl req -new -key "$name.key" -subj "/CN=$name" |
        openssl x509 -req -CA ca.pem -CAkey ca.key -CAcreateserial -days "$days" -extfile <(printf '%s\n' "$names") -out "$name.new" 2>/dev/null
    mv "$name.new" "$name.pem"
done
