//! What inputs are made of: frames as clients write them, between the directives of `script`.

/// Inputs are made of these.
pub(super) const WORDS: &[&[u8]] = &[
    b"SEND\ndestination:/queue/a\npersistent:true\n\nx\0",
    b"SEND\ndestination:/queue/a\n\nx\0",
    b"SEND\ndestination:/topic/t\n\nx\0",
    b"SEND\ndestination:/temp-queue/r\nreply-to:/temp-queue/s\n\nx\0",
    b"SEND\ndestination:/queue/a\ntransaction:t\npersistent:true\nreceipt:r\n\nx\0",
    b"SEND\ndestination:\xfb\x03\npersistent:true\n\nx\0",
    b"SEND\ndestination:/queue/a,/topic/t\nexpires:1700000001000\n\nx\0",
    b"SUBSCRIBE\nid:1\ndestination:/queue/a\nack:client-individual\n\n\0\xfc",
    b"SUBSCRIBE\nid:2\ndestination:/queue/a\nack:client\nactivemq.prefetchSize:2\n\n\0\xfc",
    b"SUBSCRIBE\nid:3\ndestination:/topic/>\n\n\0",
    b"SUBSCRIBE\nid:4\ndestination:/queue/a\nbrowser:true\nack:client\n\n\0\xfc",
    b"SUBSCRIBE\nid:5\ndestination:/queue/ActiveMQ.DLQ\n\n\0",
    b"UNSUBSCRIBE\nid:1\n\n\0",
    b"ACK\nid:\xfe\x00\n\n\0",
    b"ACK\nid:\xfe\x01\ntransaction:t\nreceipt:r\n\n\0",
    b"ACK\nsubscription:1\nmessage-id:\xfe\x00\n\n\0",
    b"NACK\nid:\xfe\x00\n\n\0",
    b"NACK\nid:\xfe\x00\ntransaction:t\n\n\0",
    b"BEGIN\ntransaction:t\n\n\0",
    b"COMMIT\ntransaction:t\nreceipt:c\n\n\0",
    b"ABORT\ntransaction:t\n\n\0",
    b"DISCONNECT\nreceipt:d\n\n\0\xfc",
    b"CONNECT\naccept-version:1.2\nheart-beat:100,100\n\n\0",
    b"\xf8\x0d",
    b"\xf8\x08",
    b"\xf8\x07",
    b"\xf8\x03",
    b"\xfc",
    b"\xfd",
    b"\xff\x10",
    b"\xff\xff",
    b"\xf7",
    b"\xf6",
    b"\xf9\x0a",
    b"\xf9\x0c",
    b"\xfa\x02\x03",
    b"\xfa\x07\x05\n",
    b"\xfb\x0a",
    b"persistent:true\n",
    b"receipt:r\n",
    b"transaction:t\n",
    b"expires:1700000001500\n",
    b"priority:9\n",
    b"duplicate-id:d\n",
    b"content-length:3\n",
    b"content-length:262144\n",
    b"activemq.exclusive:true\n",
    b"activemq.noLocal:true\n",
    b"activemq.prefetchSize:1\n",
    b"selector:a=1\n",
    b"/queue/a",
    b"/topic/a.*",
    b"/remote-temp-queue/ID:0:1",
    b",",
    b"\n\n",
    b"\0",
    b"\\c",
];

/// Dialogues in which each verb has its place.
pub(super) fn seeds() -> Vec<Vec<u8>> {
    let of = |parts: &[&[u8]]| parts.concat();
    vec![
        // A consumer and a producer, a transaction, a refusal, a subscription that ends.
        of(&[
            b"SUBSCRIBE\nid:1\ndestination:/queue/a\nack:client-individual\n\n\0\xfc\xf8\x0d",
            b"SEND\ndestination:/queue/a\npersistent:true\nreceipt:r\n\nx\0\xfc\xf8\x00BEGIN\ntransaction:t\n\n\0",
            b"ACK\nid:\xfe\x00\ntransaction:t\n\n\0SEND\ndestination:/queue/b\ntransaction:t\n\ny\0",
            b"COMMIT\ntransaction:t\nreceipt:c\n\n\0\xfc\xf8\x01SEND\ndestination:/queue/a\npersistent:true\n\nz\0\xfc",
            b"\xf8\x00NACK\nid:\xfe\x00\n\n\0UNSUBSCRIBE\nid:1\n\n\0DISCONNECT\nreceipt:d\n\n\0",
        ]),
        // Large headers and large bodies.
        of(&[
            b"SEND\ndestination:/queue/a\npersistent:true\nreceipt:r\n\xfa\x02\x03\n\xf9\x04\0\xfc",
            b"SEND\ndestination:/queue/a\npersistent:true\nreceipt:s\n\xfa\x02\x03\n\xf9\x0a\0\xfc",
            b"SUBSCRIBE\nid:1\ndestination:/queue/a\nack:client\n\n\0\xfcACK\nid:\xfe\x00\n\n\0",
        ]),
        b"SEND\ndestination:/queue/a\npersistent:true\n\xfa\x02\x03\n\xf9\x0a\0".to_vec(),
        b"SEND\ndestination:\xfb\x03\npersistent:true\n\n\xf9\x05\0".to_vec(),
        b"BEGIN\ntransaction:t\n\n\0SEND\ndestination:\xfb\x02\ntransaction:t\npersistent:true\n\n\xf9\x04\0\
          COMMIT\ntransaction:t\nreceipt:c\n\n\0"
            .to_vec(),
        // A message to several destinations, of both kinds.
        of(&[
            b"SEND\ndestination:\xfb\x03\npersistent:true\nreceipt:r\n\n\xf9\x05\0",
            b"SEND\ndestination:/queue/a,/topic/t\nexpires:1700000001100\n\nx\0\xff\x20",
            b"BEGIN\ntransaction:t\n\n\0SEND\ndestination:\xfb\x02\ntransaction:t\npersistent:true\n\n\xf9\x04\0",
            b"COMMIT\ntransaction:t\nreceipt:c\n\n\0\xfc",
        ]),
        // Browsers, topics, what is not stored, clients that do not read, that vanish, and old ones.
        of(&[
            b"SEND\ndestination:/queue/a\n\n\xf9\x0a\0SEND\ndestination:/queue/a\n\n\xf9\x09\0\xfc\xf8\x05\xf6",
            b"SUBSCRIBE\nid:4\ndestination:/queue/a\nbrowser:true\nack:client\n\n\0",
            b"SUBSCRIBE\nid:3\ndestination:/topic/>\n\n\0\xfc\xf8\x0aSEND\ndestination:/topic/t\n\n\xf9\x09\0\xfc",
            b"SUBSCRIBE\ndestination:/queue/a\nid:7\nack:client\nactivemq.prefetchSize:1\n\n\0\xfc\xfd\xf8\x01\xf6\xfc",
        ]),
        // Records that are not committed while clients come and go.
        of(&[
            b"SUBSCRIBE\nid:1\ndestination:/queue/a\nack:client\n\n\0\xfc\xf8\x0d\xf7",
            b"SEND\ndestination:/queue/a\npersistent:true\nreceipt:r\n\nx\0\xfc\xfd\xf7\xfc\xf8\x00",
            b"\xf7ACK\nid:\xfe\x00\nreceipt:a\n\n\0\xfcUNSUBSCRIBE\nid:1\n\n\0\xfc\xf7\xff\x10",
        ]),
        b"\xf8\x01GET / HTTP/1.1\r\nHost: x\r\n\r\n\0\xfc\xf8\x02CONNECT\naccept-version:9\n\n\0\xfc".to_vec(),
    ]
}
