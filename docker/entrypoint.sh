#!/bin/bash
# Run a command in the workspace that install.sh built.
set -e
. /ws/install/setup.bash
exec "$@"
