//! What people and ZooKeeper write: configuration, sizes and durations, selectors, the records of the group and its members.

use bytes::Bytes;
use quorate::config::{Config, parse_duration, parse_size};
use quorate::coordination::{GroupRecord, GroupState, Master, MemberId, MemberRecord};
use quorate::model::{
    Claim, Encoding, Epoch, Field, GroupId, Known, Message, MessageBuilder, PropertyValue, StoreId, Voter,
};
use quorate::security::{PropertyLine, parse_properties};
use quorate::selector::Selector;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::driver::{Target, as_it_is, kind, shape};

pub(crate) const CONFIG: Target = Target {
    name: "config",
    run: config,
    mend: as_it_is,
    seeds: config_seeds,
    words: &[
        b"[broker]\n",
        b"[store]\n",
        b"[[transport_connector]]\n",
        b"[[network_connector]]\n",
        b"[log]\n",
        b"level = \"trace\"\n",
        b"[store.replicated]\n",
        b"format = \"json\"\n",
        b"kind = \"replicated\"\n",
        b"\0",
        b"=",
        b"\"",
        b"'''",
        b"[[[[",
        b"{a={a={",
        b"100%",
        b"101%",
        b"99999999999999999999 GiB",
        b"1e999",
        b"nan",
        b"-1",
        b"\n",
        b"?maximumConnections=1&",
        b"stomp://[::]:1",
    ],
    planted: |input| {
        let (text, arguments, environment) = layers(input);
        let loaded = Config::parse(None, &text, &arguments, &environment);
        loaded.is_ok_and(|it| !(8161..=8170).contains(&it.config.console.bind.port()))
    },
    // Every fault is told, with what was expected in its place.
    memory: (2000, 1 << 20),
    bytes_max: 16 * 1024,
};

pub(crate) const UNITS: Target = Target {
    name: "units",
    run: units,
    mend: as_it_is,
    seeds: || {
        ["10s", "1 day", "100 MiB", "64kb", "1.5h", "0", "18446744073709551615"]
            .map(|text| text.as_bytes().to_vec())
            .to_vec()
    },
    words: &[
        b"ms", b"s", b"min", b"h", b"day", b"KiB", b"MiB", b"GiB", b"TiB", b"kb", b".", b" ", b"-", b"e9",
    ],
    planted: |input| {
        let text = std::str::from_utf8(input).unwrap_or_default();
        text.contains("TiB") && parse_size(text).is_ok_and(|bytes| bytes > 1 << 50)
    },
    memory: (64, 16 * 1024),
    bytes_max: 200,
};

pub(crate) const PROPERTIES: Target = Target {
    name: "properties",
    run: properties,
    mend: as_it_is,
    seeds: || {
        let texts = [
            "# users\nsystem=manager\nuser : pass word\n",
            "admins=system,\\\n   user\nq\\=r = \\u00e9\n",
            "",
        ];
        texts.map(|text| text.as_bytes().to_vec()).to_vec()
    },
    words: &[
        b"=", b":", b"\\", b"\\\n", b"\\u00e9", b"\\ud800", b"\\u0000", b"#", b"!", b"\r\n", b" ", b"\0",
    ],
    planted: |input| {
        let text = std::str::from_utf8(input).unwrap_or_default();
        text.contains("\\u00") && parse_properties(text).is_ok_and(|lines| lines.len() > 2)
    },
    memory: (64, 64 * 1024),
    bytes_max: 4096,
};

pub(crate) const SELECTOR: Target = Target {
    name: "selector",
    run: selector,
    mend: as_it_is,
    seeds: selector_seeds,
    words: &[
        b" AND ",
        b" OR ",
        b"NOT ",
        b" IS NULL",
        b" IS NOT NULL",
        b" LIKE 'a%b_'",
        b" ESCAPE '!'",
        b" IN ('a', 'b')",
        b" BETWEEN 1 AND 2",
        b"TRUE",
        b"FALSE",
        b"NULL",
        b"(",
        b")",
        b"((((((((",
        b" = ",
        b" <> ",
        b" < ",
        b" >= ",
        b" + ",
        b" - ",
        b"- ",
        b" * ",
        b" / ",
        b" % 2",
        b"a",
        b"b",
        b"missing",
        b"JMSPriority",
        b"JMSType",
        b"JMSDestination",
        b"'",
        b"''",
        b"--",
        b"\n",
        b"/*",
        b"*/",
        b"0x7F",
        b"017",
        b"1e308",
        b"5.",
        b"9223372036854775808",
        b"2147483647",
        b"L",
        b"\xc3\xa9",
        b"XPATH 'a'",
        b"f(",
        b"convert_string_expressions:",
        b"\0",
    ],
    planted: |input| {
        let text = std::str::from_utf8(input.split(|byte| *byte == 0).next().unwrap_or_default());
        let selector = text.ok().and_then(|text| Selector::parse(text).ok()).map(|it| it.to_string());
        selector.is_some_and(|shown| shown.contains(" % "))
    },
    memory: (256, 64 * 1024),
    bytes_max: 2 * 1024,
};

pub(crate) const GROUP: Target = Target {
    name: "znode_group",
    run: again::<GroupRecord>,
    mend: as_it_is,
    seeds: group_seeds,
    words: JSON,
    planted: |input| serde_json::from_slice::<GroupRecord>(input).is_ok_and(|it| it.replicas > 1000),
    memory: (64, 64 * 1024),
    bytes_max: 8 * 1024,
};

pub(crate) const MEMBER: Target = Target {
    name: "znode_member",
    run: |input| {
        let named = std::str::from_utf8(input).ok().and_then(MemberId::from_name);
        assert!(named.is_none_or(|id| id.name().as_bytes() == input));
        again::<MemberRecord>(input)
    },
    mend: as_it_is,
    seeds: member_seeds,
    words: JSON,
    planted: |input| {
        serde_json::from_slice::<MemberRecord>(input).is_ok_and(|it| it.weight > 100 && it.elected.is_some())
    },
    memory: (64, 64 * 1024),
    bytes_max: 8 * 1024,
};

const JSON: &[&[u8]] = &[
    b"null",
    b"true",
    b"\"",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"18446744073709551615",
    b"-1",
    b"1e9",
    b"\\u0000",
    b"\"serving\"",
    b"[[[[[[[[",
];

/// The file, then after a NUL `--set` arguments, one in a line, then after another the environment.
fn layers(input: &[u8]) -> (String, Vec<String>, Vec<(String, String)>) {
    let mut parts = input.splitn(3, |byte| *byte == 0).map(|part| String::from_utf8_lossy(part).into_owned());
    let text = parts.next().unwrap_or_default();
    let arguments = parts.next().unwrap_or_default().lines().map(str::to_owned).collect();
    let environment = parts.next().unwrap_or_default();
    let pair = |line: &str| line.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    (text, arguments, environment.lines().filter_map(pair).collect())
}

fn config(input: &[u8]) -> u64 {
    let (text, arguments, environment) = layers(input);
    match Config::parse(Some("fuzz.toml"), &text, &arguments, &environment) {
        Ok(loaded) => {
            assert!(!loaded.settings.is_empty());
            let connectors =
                (loaded.config.transport_connectors.len(), loaded.config.network_connectors.len());
            kind(&(connectors, loaded.warnings.len().min(4), std::mem::discriminant(&loaded.config.store)))
        }
        Err(error) => {
            assert!(!error.faults.is_empty());
            assert!(!error.to_string().is_empty());
            let first = &error.faults[0];
            kind(&(error.faults.len().min(6), shape(&first.message).split('"').next().map(str::to_owned)))
        }
    }
}

fn config_seeds() -> Vec<Vec<u8>> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    let mut seeds: Vec<Vec<u8>> =
        ["broker.toml", "group1/node1.toml"].map(|name| std::fs::read(root.join(name)).unwrap()).to_vec();
    // Without its comments, so that a change hits something.
    let text = String::from_utf8_lossy(&seeds[0]).into_owned();
    let bare = text
        .lines()
        .map(|line| line.strip_prefix('#').unwrap_or(line))
        .filter(|line| line.contains(" = ") || line.starts_with('['));
    seeds.push(bare.collect::<Vec<_>>().join("\n").into_bytes());
    seeds.push(b"[console]\nbind = \"127.0.0.1:8170\"\n[log]\nlevel = \"warn\"\n\0broker.name=b\nlog.format=text\0QUORATE_LOG_LEVEL=info\nQUORATE_STORE_KIND=memory\n".to_vec());
    seeds
}

/// What is read has a name and no null, in the order of the file; written with escapes, it reads as it was.
fn properties(input: &[u8]) -> u64 {
    let text = String::from_utf8_lossy(input);
    let lines = match parse_properties(&text) {
        Ok(lines) => lines,
        Err((line, message)) => {
            assert!((1..=text.lines().count()).contains(&line), "{line}");
            return kind(&shape(&message));
        }
    };
    assert!(lines.is_sorted_by_key(|it| it.line));
    let escaped = |text: &str| {
        let one =
            |c: char| if u32::from(c) > 0xffff { c.to_string() } else { format!("\\u{:04x}", u32::from(c)) };
        text.chars().map(one).collect::<String>()
    };
    let written = |it: &PropertyLine| format!("{}={}\n", escaped(&it.key), escaped(&it.value));
    let again = parse_properties(&lines.iter().map(written).collect::<String>()).unwrap();
    let bare = |lines: &[PropertyLine]| -> Vec<(String, String)> {
        lines.iter().map(|it| (it.key.clone(), it.value.clone())).collect()
    };
    assert_eq!(bare(&again), bare(&lines));
    assert!(lines.iter().all(|it| !it.key.is_empty() && !format!("{}{}", it.key, it.value).contains('\0')));
    kind(&(lines.len().min(8), lines.iter().any(|it| it.value.is_empty())))
}

fn units(input: &[u8]) -> u64 {
    let Ok(text) = std::str::from_utf8(input) else { return 0 };
    let (duration, size) = (parse_duration(text), parse_size(text));
    let power = |number: u64| number.checked_ilog2().unwrap_or(0);
    let (duration, size) = (duration.map(|it| power(it.as_secs())), size.map(power));
    kind(&(duration.map_err(|error| shape(&error)), size.map_err(|error| shape(&error))))
}

/// A selector, then after a NUL a message of those bytes. What is printed is read back, and judges alike.
fn selector(input: &[u8]) -> u64 {
    let (text, rest) = input.split_at(input.iter().position(|byte| *byte == 0).unwrap_or(input.len()));
    let Ok(text) = std::str::from_utf8(text) else { return 0 };
    let selector = match Selector::parse(text) {
        Ok(selector) => selector,
        Err(error) => {
            assert!((1..=text.chars().count() + 1).contains(&error.position), "{error}");
            return kind(&error.problem.split(", found").next().map(|it| shape(&it)));
        }
    };
    let shown = selector.to_string();
    let again = Selector::parse(&shown).unwrap_or_else(|error| panic!("{shown}: {error}"));
    assert_eq!(again, selector, "{shown}");
    let given = rest.get(1..).map(Bytes::copy_from_slice).and_then(|bytes| Message::decode(bytes).ok());
    let verdicts = [Some(judged()), given].map(|message| {
        let verdict = message.as_ref().map(|message| selector.matches(message, 1));
        assert_eq!(verdict, message.map(|message| again.matches(&message, 1)), "{shown}");
        verdict
    });
    let operators = [" AND ", " OR ", "NOT ", "LIKE", " IN ", "BETWEEN", "NULL", "-", "%", "/"];
    kind(&(verdicts, operators.map(|it| shown.contains(it))))
}

/// A message with properties of every type.
fn judged() -> Message {
    let mut builder = MessageBuilder::new(Encoding::Stomp);
    builder.field(Field::Type, "a");
    builder.property("a", PropertyValue::Long(2));
    builder.property("b", PropertyValue::String("ab"));
    builder.property("c", PropertyValue::Double(0.5));
    builder.property("d", PropertyValue::Bool(true));
    builder.property("e", PropertyValue::Bytes(b"e"));
    builder.build().unwrap()
}

fn selector_seeds() -> Vec<Vec<u8>> {
    let mut seeds = [
        "a = 1 AND (b LIKE 'a!%b_%' ESCAPE '!' OR NOT b IN ('x', 'it''s')) AND missing IS NULL",
        "a BETWEEN - 1 + 2 * c AND 0x1F / 3.5e1 OR JMSPriority NOT BETWEEN 1 AND 017L",
        "convert_string_expressions:b > 5 -- comment\n OR d = TRUE /* comment */ AND d",
        "JMSDeliveryMode <> 'PERSISTENT' AND JMSType IS NOT NULL AND JMSXDeliveryCount >= 2",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec();
    seeds.push([b"b = 'ab'\0", &judged().encoded()[..]].concat());
    seeds
}

fn again<R: DeserializeOwned + Serialize + PartialEq + std::fmt::Debug>(input: &[u8]) -> u64 {
    match serde_json::from_slice::<R>(input) {
        Ok(record) => {
            let text = serde_json::to_vec(&record).unwrap();
            let read: R = serde_json::from_slice(&text).expect("written by the encoder");
            assert_eq!(read, record);
            kind(&(text.len() / 16))
        }
        Err(error) => kind(&shape(&error)),
    }
}

fn voters() -> Vec<Voter> {
    (1..=3).map(|n| Voter { node: format!("n{n}"), store: StoreId(1 << (n * 9)) }).collect()
}

fn group_seeds() -> Vec<Vec<u8>> {
    let mut record = GroupRecord {
        id: "broker".into(),
        epoch: Epoch(4),
        claim: Claim(77),
        state: GroupState::Electing,
        master: None,
        voters: Vec::new(),
        config: 0,
        replicas: 3,
        group_id: GroupId(1 << 90),
        format: 1,
        released: Epoch(0),
        cause: String::new(),
    };
    let blank = serde_json::to_vec(&record).unwrap();
    record.master = Some(Master { member: MemberId(12), guid: StoreId(3), node: "n1".into() });
    (record.voters, record.state) = (voters(), GroupState::Serving);
    (record.released, record.cause) = (Epoch(3), "step-down".into());
    vec![blank, serde_json::to_vec(&record).unwrap()]
}

fn member_seeds() -> Vec<Vec<u8>> {
    let mut record = MemberRecord {
        id: "broker".into(),
        container: None,
        address: None,
        position: 1 << 40,
        weight: 1,
        elected: None,
        guid: StoreId(5),
        node: "n1".into(),
        store: StoreId(6),
        promised: Epoch(4),
        claim: Claim(77),
        position_epoch: Epoch(3),
        role: "slave".into(),
        suspects: Epoch(0),
        reason: None,
        unfit: false,
        replicas: 3,
        format: 1,
        known: None,
        process: None,
    };
    let blank = serde_json::to_vec(&record).unwrap();
    record.known = Some(Known { group_id: GroupId(8), epoch: Epoch(4), config: 2, voters: voters() });
    (record.address, record.elected) = (Some("tcp://h:62621".into()), Some(MemberId(3)));
    record.reason = Some("the store is damaged".into());
    vec![blank, serde_json::to_vec(&record).unwrap(), b"00000000012".to_vec()]
}
