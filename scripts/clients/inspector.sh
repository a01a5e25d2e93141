#!/bin/sh
# Drives `allsource mcp` with the command line of the MCP Inspector, in both eras of the protocol.
# Needs Node 22 and the Inspector on the PATH:
#   npm install --prefix /tmp/inspector node@22 @modelcontextprotocol/inspector@2
#   PATH=/tmp/inspector/node_modules/.bin:$PATH scripts/clients/inspector.sh target/release/allsource
# Exits with the first failure; `--strict` fails on any input or output schema that some client cannot read.
set -eu

program=${1:?the allsource program}
data=$(mktemp -d)
trap 'rm -rf "$data"' EXIT
# The Inspector keeps a catalogue of servers in the home directory; it gets one of its own.
export HOME="$data"

inspect() {
    mcp-inspector --cli --quiet --protocol-era "$era" "$@" "$program" mcp --data "$data/store"
}

event='{"entity_id":"order-1","event_type":"order.placed","payload":{"total":10}}'
for era in legacy modern; do
    echo "== $era"
    echo "tools/list --strict"
    inspect --method tools/list --strict --output "$data/tools.json"
    echo "tools/call append_events"
    inspect --method tools/call --tool-name append_events --tool-args-json "{\"branch\":\"main\",\"events\":[$event]}"
    echo "tools/call quick_stats"
    inspect --method tools/call --tool-name quick_stats
    echo "prompts/list"
    inspect --method prompts/list --output "$data/prompts.json"
    echo "resources/templates/list"
    inspect --method resources/templates/list --output "$data/templates.json"
    echo "resources/read allsource://entity/order-1"
    inspect --method resources/read --uri allsource://entity/order-1
    echo "100 calls, 10 at once"
    inspect --method tools/call --tool-name quick_stats --load --load-requests 100
done
