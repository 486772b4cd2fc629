#!/bin/sh
exec "$(dirname "$0")/../cluster/run.sh" cluster-sticky
