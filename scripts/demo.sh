#!/usr/bin/env bash
# The whole chain on invented companies, in one process: files → tables → features → model → scores → ranked list.
#
# COMPANIES, SEED and DEPARTMENT in the environment change what is invented and shown.
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

COMPANIES=${COMPANIES:-3000}
SEED=${SEED:-1}
DEPARTMENT=${DEPARTMENT:-69}
BATCH=2511

sf=$PROGRAMS/sf
demo=$ROOT/.run/demo
[ -x "$sf" ] || die "$sf is missing: make build"
rm -rf "$demo"
mkdir -p "$demo"

timed "Inventing the delivery of batch $BATCH: $COMPANIES companies" \
    "$sf" datagen --out "$demo/delivery" --companies "$COMPANIES" --seed "$SEED" --batch "$BATCH"
timed "Running: import, features, training, scoring, publication" \
    "$sf" --data "$demo/data" run "$demo/delivery" --batch "$BATCH"
timed "The list: department $DEPARTMENT" \
    "$sf" --data "$demo/data" lists show latest --department "$DEPARTMENT" --limit 20

heading "Done in $SECONDS s, without any server"
cat <<TEXT
The companies are invented: the scores prove that the machine works, not that a model is good.
Look further:
  sf=$sf; data=$demo/data
  \$sf --data \$data batches show $BATCH
  \$sf --data \$data models list
  \$sf --data \$data score SIREN --explain
TEXT
