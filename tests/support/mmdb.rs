//! Writes files in the format of MaxMind DB 2.0: a binary tree over the bits of addresses, a
//! section of data, and metadata at the end.

use ipnet::IpNet;
use serde_json::{Value, json};

// Types of values.
const TEXT: u8 = 2;
const U16: u8 = 5;
const U32: u8 = 6;
const MAP: u8 = 7;
const U64: u8 = 9;
const ARRAY: u8 = 11;
const BOOL: u8 = 14;

/// Bytes of zero between the tree and the data.
const SEPARATOR: usize = 16;

/// A file about to be written: an IPv6 tree, in which IPv4 addresses stand under `::/96`.
pub struct Mmdb {
    kind: String,
    nodes: Vec<[Record; 2]>,
    data: Vec<u8>,
}

#[derive(Clone, Copy)]
enum Record {
    Nothing,
    Node(usize),
    Data(usize),
}

impl Mmdb {
    /// A file of this type, with nothing in it.
    pub fn new(kind: &str) -> Self {
        Self {
            kind: kind.to_owned(),
            nodes: vec![[Record::Nothing; 2]],
            data: Vec::new(),
        }
    }

    /// Says this of a network.
    pub fn with(mut self, network: &str, value: &Value) -> Self {
        let network: IpNet = network.parse().unwrap();
        let (address, bits) = match network {
            IpNet::V4(v4) => (u128::from(u32::from(v4.network())), v4.prefix_len() + 96),
            IpNet::V6(v6) => (u128::from(v6.network()), v6.prefix_len()),
        };
        let offset = self.data.len();
        write(&mut self.data, value);
        let mut node = 0;
        for depth in 0..bits {
            let bit = usize::from((address >> (127 - depth)) & 1 == 1);
            if depth + 1 == bits {
                self.nodes[node][bit] = Record::Data(offset);
                break;
            }
            node = match self.nodes[node][bit] {
                Record::Node(next) => next,
                Record::Nothing => {
                    self.nodes.push([Record::Nothing; 2]);
                    let next = self.nodes.len() - 1;
                    self.nodes[node][bit] = Record::Node(next);
                    next
                }
                Record::Data(_) => panic!("{network} lies within another network"),
            };
        }
        self
    }

    /// A city, its region and its country, as GeoLite2-City has them.
    pub fn city(self, network: &str, city: &str, region: &str, country: &str) -> Self {
        let named = |name: &str| json!({ "names": { "de": "nicht dies", "en": name } });
        let mut value = json!({ "country": named(country), "subdivisions": [named(region)] });
        if !city.is_empty() {
            value["city"] = named(city);
        }
        self.with(network, &value)
    }

    /// The file.
    pub fn bytes(&self) -> Vec<u8> {
        let mut file = Vec::new();
        let count = self.nodes.len();
        for record in self.nodes.iter().flatten() {
            let value = match record {
                Record::Nothing => count,
                Record::Node(node) => *node,
                Record::Data(offset) => count + SEPARATOR + offset,
            };
            file.extend(&u32::try_from(value).unwrap().to_be_bytes()[1..]);
        }
        file.extend([0; SEPARATOR]);
        file.extend(&self.data);
        file.extend(b"\xab\xcd\xefMaxMind.com");
        control(&mut file, MAP, 9);
        // Each number has the width that the format says.
        for (name, kind, bytes) in [
            ("binary_format_major_version", U16, &2_u16.to_be_bytes()[..]),
            ("binary_format_minor_version", U16, &0_u16.to_be_bytes()),
            ("build_epoch", U64, &1_795_248_900_u64.to_be_bytes()),
            ("ip_version", U16, &6_u16.to_be_bytes()),
            (
                "node_count",
                U32,
                &u32::try_from(count).unwrap().to_be_bytes(),
            ),
            ("record_size", U16, &24_u16.to_be_bytes()),
        ] {
            write_text(&mut file, name);
            control(&mut file, kind, bytes.len());
            file.extend(bytes);
        }
        for (name, value) in [
            ("database_type", json!(self.kind)),
            ("description", json!({ "en": "for tests" })),
            ("languages", json!(["en"])),
        ] {
            write_text(&mut file, name);
            write(&mut file, &value);
        }
        file
    }
}

/// Control byte and value; what has a type above 7 has it in a second byte.
fn write(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::String(text) => write_text(out, text),
        Value::Number(number) => {
            let number = u32::try_from(number.as_u64().unwrap()).unwrap();
            control(out, U32, 4);
            out.extend(number.to_be_bytes());
        }
        Value::Object(members) => {
            control(out, MAP, members.len());
            for (name, value) in members {
                write_text(out, name);
                write(out, value);
            }
        }
        Value::Array(values) => {
            control(out, ARRAY, values.len());
            for value in values {
                write(out, value);
            }
        }
        Value::Bool(value) => control(out, BOOL, usize::from(*value)),
        Value::Null => panic!("the format has no null"),
    }
}

fn write_text(out: &mut Vec<u8>, text: &str) {
    control(out, TEXT, text.len());
    out.extend(text.as_bytes());
}

fn control(out: &mut Vec<u8>, kind: u8, size: usize) {
    let (short, more) = if size < 29 {
        (u8::try_from(size).unwrap(), None)
    } else {
        (29, Some(u8::try_from(size - 29).unwrap()))
    };
    if kind <= 7 {
        out.push(kind << 5 | short);
    } else {
        out.extend([short, kind - 7]);
    }
    out.extend(more);
}
