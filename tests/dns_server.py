"""A DNS server on loopback that answers as a test says, by UDP and TCP."""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal, cast

import dns.flags
import dns.message
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

Behaviour = Literal["SERVFAIL", "REFUSED", "silent", "garbage", "truncated", "truncated-always", "referral", "wrong-id"]


@dataclass
class Zone:
    """What the server holds: texts of records by ``NAME TYPE``. A name without records is not there."""

    records: dict[str, list[str]] = field(default_factory=dict)
    ttls: dict[str, int] = field(default_factory=dict)
    behaviours: dict[str, Behaviour] = field(default_factory=dict)
    negative_ttl: int = 0
    asked: list[str] = field(default_factory=list)
    address: str = ""

    def answer(self, query: dns.message.Message, *, by_tcp: bool) -> bytes | None:
        question = query.question[0]
        key = f"{question.name.to_text(omit_final_dot=True)} {dns.rdatatype.to_text(question.rdtype)}"
        self.asked.append(f"{key} TCP" if by_tcp else key)
        behaviour = self.behaviours.get(key)
        response = dns.message.make_response(query)
        if behaviour == "silent":
            return None
        if behaviour == "garbage":
            return b"\x00\x01garbage"
        if behaviour in {"SERVFAIL", "REFUSED"}:
            response.set_rcode(dns.rcode.from_text(behaviour))
            return response.to_wire()
        if behaviour == "referral":
            response.authority.append(dns.rrset.from_text("test.", 60, "IN", "NS", "ns.test."))
            return response.to_wire()
        if behaviour == "truncated-always" or (behaviour == "truncated" and not by_tcp):
            response.flags |= dns.flags.TC
            return response.to_wire()
        self._fill(response, question.name.to_text(omit_final_dot=True), dns.rdatatype.to_text(question.rdtype))
        wire = response.to_wire(max_size=65535)
        return b"\xff\xff" + wire[2:] if behaviour == "wrong-id" else wire

    def _fill(self, response: dns.message.Message, name: str, kind: str) -> None:
        alias = self.records.get(f"{name} CNAME")
        if alias is not None:
            response.answer.append(dns.rrset.from_text(f"{name}.", self._ttl(f"{name} CNAME"), "IN", "CNAME", *alias))
            name = alias[0].rstrip(".")
        texts = self.records.get(f"{name} {kind}")
        if texts:
            response.answer.append(dns.rrset.from_text(f"{name}.", self._ttl(f"{name} {kind}"), "IN", kind, *texts))
            return
        soa = f"ns.test. root.test. 1 2 3 4 {self.negative_ttl}"
        response.authority.append(dns.rrset.from_text("test.", 3600, "IN", "SOA", soa))
        if not any(key.startswith(f"{name} ") for key in self.records):
            response.set_rcode(dns.rcode.NXDOMAIN)

    def _ttl(self, key: str) -> int:
        return self.ttls.get(key, 0)


@asynccontextmanager
async def dns_serving(zone: Zone) -> AsyncIterator[Zone]:
    """Serve until the block ends; the zone knows its address then."""

    class Datagrams(asyncio.DatagramProtocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = cast("asyncio.DatagramTransport", transport)

        def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
            answer = zone.answer(dns.message.from_wire(data), by_tcp=False)
            if answer is not None:
                self.transport.sendto(answer, addr)

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        (length,) = struct.unpack("!H", await reader.readexactly(2))
        answer = zone.answer(dns.message.from_wire(await reader.readexactly(length)), by_tcp=True)
        if answer is not None:
            writer.write(struct.pack("!H", len(answer)) + answer)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(Datagrams, local_addr=("127.0.0.1", port))
    zone.address = f"127.0.0.1:{port}"
    try:
        yield zone
    finally:
        transport.close()
        server.close()
        await server.wait_closed()
