//! As little of HTTP as a client needs: requests made beforehand, connections that stay open,
//! and of an answer its status and its body.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

pub(crate) struct Connection {
    stream: TcpStream,
    come: Vec<u8>,
}

impl Connection {
    pub(crate) fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            come: Vec::new(),
        }
    }

    /// Sends a request and reads the status of its answer.
    pub(crate) fn ask(&mut self, request: &str) -> u16 {
        self.send(request);
        self.answer().0
    }

    /// Sends one or more requests.
    pub(crate) fn send(&mut self, requests: &str) {
        self.stream.write_all(requests.as_bytes()).unwrap();
    }

    /// The status and the body of the next answer.
    pub(crate) fn answer(&mut self) -> (u16, String) {
        let mut buffer = [0; 16 * 1024];
        loop {
            if let Some((status, end, length)) = head(&self.come)
                && self.come.len() >= end + length
            {
                let rest = self.come.split_off(end + length);
                let answer = std::mem::replace(&mut self.come, rest);
                return (status, String::from_utf8_lossy(&answer[end..]).into_owned());
            }
            let count = self.stream.read(&mut buffer).unwrap();
            assert!(count > 0, "the server hung up");
            self.come.extend_from_slice(&buffer[..count]);
        }
    }
}

/// Status, where the body begins, and how long it is.
fn head(come: &[u8]) -> Option<(u16, usize, usize)> {
    let end = come.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&come[..end]).unwrap();
    let status = text.split(' ').nth(1)?.parse().unwrap();
    let length = text
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .map_or(0, |length| length.parse().unwrap());
    Some((status, end, length))
}

pub(crate) fn request(method: &str, path: &str, token: &str) -> String {
    let length = if method == "GET" {
        ""
    } else {
        "content-length: 0\r\n"
    };
    format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\n{length}authorization: Bearer {token}\r\n\r\n"
    )
}

/// "Who is this?"
pub(crate) fn check(token: &str) -> String {
    request("GET", "/api/auth/verify", token)
}
