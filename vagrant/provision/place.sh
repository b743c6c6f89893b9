#!/bin/bash
# Makes the directory for what Vagrant uploads: the packages, keys and passwords. Runs on every machine, first. /run is root's, so nobody
# can have put anything in its place; the user by whom Vagrant comes writes into it, and nobody else reads it.
set -euo pipefail
rm -f /run/quorate-setup/ready
install -d -m 0700 -o "${SUDO_USER:-root}" /run/quorate-setup
