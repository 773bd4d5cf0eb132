"""Reads a broker's beans with a Jolokia client. Arguments: the agent's URL, the broker's name, a queue, how many messages wait in it."""

import sys

from jolokia import JolokiaClient

url, broker, queue, waiting = sys.argv[1:]
client = JolokiaClient(url)
bean = f"org.apache.activemq:type=Broker,brokerName={broker}"
one = f"{bean},destinationType=Queue,destinationName={queue}"

assert client.version()["value"]["protocol"] == "7.2"
assert client.get_attribute(mbean=one, attribute="QueueSize")["value"] == int(waiting)
several = client.get_attribute(mbean=one, attribute=["QueueSize", "ConsumerCount"])
assert [it["value"] for it in several] == [int(waiting), 0], several
found = client.search(mbean=f"{bean},destinationType=Queue,destinationName=*")["value"]
assert len(found) == 1, found
listed = client.list(path="org.apache.activemq")["value"]
assert any(f"destinationName={queue}" in name for name in listed), listed
refused = client.execute(mbean=one, operation="purge", arguments=[])
assert refused["status"] == 501 and "purge" in refused["error"], refused
