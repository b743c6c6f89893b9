#!/bin/sh
# The lab part of `make test`: a whole cluster on Debian's stable-before-this, each fault that ends an outage fast, once.
# The long tables (five runs of everything) are `quorate-lab test`'s, by hand.
set -eu
lab=target/debug/quorate-lab
report=${REPORT:-report}
cargo build --locked --features lab --bins --examples
cargo build --locked --release --bin quorate-agent
exec "$lab" test classic --faults postgres-kill,postgres-stop,power-off,switchover --target primary --runs 1 --report "$report"
