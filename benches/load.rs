//! What the whole server costs, measured from outside: prints ratios of one run, since machines
//! differ and are noisy.
//!
//! 1. Processor time a request of `GET /api/auth/verify` through the production stack, against a
//!    bare actix-web handler that answers with the same headers and body. Both run as processes of
//!    their own, in turns, and the time is what the system accounts to each.
//! 2. Memory when idle, and the time from start to ready on a database that is there.
//! 3. The slowest hundredth of checks while sign-ins flood in, against the same when idle.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::allow_attributes,
    reason = "a benchmark that cannot go on should stop"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use actix_web::{App, HttpResponse, HttpServer, web};

const EMAIL: &str = "ada@example.org";
const PASSWORD: &str = "a long and quiet password";
const CONNECTIONS: usize = 8;
const ROUNDS: usize = 7;
const REQUESTS: usize = 12_000;

fn main() {
    // Cargo passes `--bench`; the bare server is this program again.
    match std::env::args().nth(1).as_deref() {
        Some("bare") => bare(&std::env::args().nth(2).unwrap()),
        _ => measure(),
    }
}

fn measure() {
    let directory = tempfile::tempdir().unwrap();
    add_user(directory.path());
    let (server, address) = start_server(directory.path());
    let token = sign_in(address);
    let request = verify_request(&token);
    let answer = exchange(&mut TcpStream::connect(address).unwrap(), &request);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let headers: String = answer
        .lines()
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter(|line| !line.starts_with("date:") && !line.starts_with("content-length:"))
        .map(|line| format!("{line}\n"))
        .collect();
    let (bare, bare_address) = start_bare(&headers);

    let mut ratios = Vec::new();
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    drive(address, &request, 4_000);
    drive(bare_address, &request, 4_000);
    for _ in 0..ROUNDS {
        let one = cpu_per_request(&server, address, &request);
        let other = cpu_per_request(&bare, bare_address, &request);
        ours.push(one);
        theirs.push(other);
        ratios.push(one / other);
    }
    println!(
        "verify, whole stack:  {:.2} µs of processor a request",
        median(&mut ours)
    );
    println!(
        "bare handler:         {:.2} µs of processor a request",
        median(&mut theirs)
    );
    println!(
        "ratio:                {:.2} (median of {ROUNDS} rounds in turn)",
        median(&mut ratios)
    );

    flood(address, &request);
    drop((server, bare));
    memory_and_start(directory.path());
}

fn flood(address: SocketAddr, request: &str) {
    let mut idle = latencies(address, request, 20_000);
    let stop = Arc::new(AtomicBool::new(false));
    let floods: Vec<_> = (0..16)
        .map(|number| {
            let stop = Arc::clone(&stop);
            std::thread::spawn(move || {
                let mut sent = 0_u32;
                while !stop.load(Ordering::Relaxed) {
                    let body = format!(
                        "{{\"email\":\"n{number}-{sent}@example.org\",\"password\":\"wrong wrong wrong\"}}"
                    );
                    let mut stream = TcpStream::connect(address).unwrap();
                    // From an address of its own each, as many people would: whoever guesses this
                    // much from one is throttled, which costs no hash and would measure nothing.
                    let from = format!("x-forwarded-for: 10.{number}.{}.{}", sent >> 8 & 255, sent & 255);
                    let request = post("/api/auth/sign-in", &body).replacen("host:", &format!("{from}\r\nhost:"), 1);
                    let answer = exchange(&mut stream, &request);
                    let looked_at = ["401", "503"].iter().any(|s| answer.starts_with(&format!("HTTP/1.1 {s}")));
                    assert!(looked_at, "{answer}");
                    sent += 1;
                }
                sent
            })
        })
        .collect();
    let mut flooded = latencies(address, request, 20_000);
    stop.store(true, Ordering::Relaxed);
    let sent: u32 = floods.into_iter().map(|flood| flood.join().unwrap()).sum();
    let (idle, flooded) = (p99(&mut idle), p99(&mut flooded));
    println!("p99 of checks, idle:  {:.0} µs", idle.as_secs_f64() * 1e6);
    println!(
        "p99 under {sent} sign-ins: {:.0} µs, {:.2} times",
        flooded.as_secs_f64() * 1e6,
        flooded.as_secs_f64() / idle.as_secs_f64()
    );
}

fn memory_and_start(directory: &Path) {
    let mut starts = Vec::new();
    let mut memory = Vec::new();
    for _ in 0..ROUNDS {
        let began = Instant::now();
        let (server, address) = start_server(directory);
        let mut stream = TcpStream::connect(address).unwrap();
        let ready = "GET /health/ready HTTP/1.1\r\nhost: localhost\r\n\r\n";
        assert!(exchange(&mut stream, ready).starts_with("HTTP/1.1 200"));
        starts.push(began.elapsed().as_secs_f64() * 1000.0);
        let status = std::fs::read_to_string(format!("/proc/{}/status", server.0.id())).unwrap();
        let rss = status
            .lines()
            .find(|line| line.starts_with("VmRSS"))
            .unwrap();
        let kib: f64 = rss.split_whitespace().nth(1).unwrap().parse().unwrap();
        memory.push(kib / 1024.0);
    }
    println!("start to ready:       {:.0} ms", median(&mut starts));
    println!("memory when idle:     {:.1} MiB", median(&mut memory));
}

/// Ends with the benchmark.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn command(directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    command
        .current_dir(directory)
        .env("PORTCULLIS_DATA_DIR", directory)
        .env("PORTCULLIS_BIND", "127.0.0.1:0")
        .env("PORTCULLIS_METRICS_BIND", "127.0.0.1:0")
        .env("PORTCULLIS_TRUSTED_PROXIES", "127.0.0.1")
        .env("PORTCULLIS_ACCESS_TOKEN_SECS", "3600");
    command
}

fn add_user(directory: &Path) {
    let mut child = command(directory)
        .args([
            "user",
            "create",
            "--email",
            EMAIL,
            "--role",
            "admin",
            "--password-stdin",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(PASSWORD.as_bytes())
        .unwrap();
    assert!(child.wait().unwrap().success());
}

fn start_server(directory: &Path) -> (Process, SocketAddr) {
    let mut child = command(directory).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let address = loop {
        let line = lines.next().unwrap().unwrap();
        if let Some((_, rest)) = line.split_once("listening address=") {
            break rest.split_whitespace().next().unwrap().parse().unwrap();
        }
    };
    // The log is read as a collector would, or the pipe would fill.
    std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
    (Process(child), address)
}

fn start_bare(headers: &str) -> (Process, SocketAddr) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["bare", headers])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    (Process(child), line.trim().parse().unwrap())
}

/// The least that actix-web can do and still answer alike.
fn bare(headers: &str) {
    let headers: Vec<(String, String)> = headers
        .lines()
        .map(|line| {
            line.split_once(": ")
                .unwrap_or((line.trim_end_matches(':'), ""))
        })
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let parsed: Vec<(
        actix_web::http::header::HeaderName,
        actix_web::http::header::HeaderValue,
    )> = headers
        .iter()
        .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
        .collect();
    actix_web::rt::System::new().block_on(async move {
        let server = HttpServer::new(move || {
            let parsed = parsed.clone();
            App::new().route(
                "/api/auth/verify",
                web::get().to(move || {
                    let mut answer = HttpResponse::Ok().finish();
                    for (name, value) in &parsed {
                        answer.headers_mut().insert(name.clone(), value.clone());
                    }
                    async move { answer }
                }),
            )
        })
        .workers(std::thread::available_parallelism().unwrap().get())
        .bind("127.0.0.1:0")
        .unwrap();
        println!("{}", server.addrs()[0]);
        server.run().await.unwrap();
    });
}

fn verify_request(token: &str) -> String {
    format!(
        "GET /api/auth/verify HTTP/1.1\r\nhost: localhost\r\nuser-agent: bench\r\n\
         authorization: Bearer {token}\r\n\r\n"
    )
}

fn post(path: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn sign_in(address: SocketAddr) -> String {
    let body = format!("{{\"email\":\"{EMAIL}\",\"password\":\"{PASSWORD}\"}}");
    let mut stream = TcpStream::connect(address).unwrap();
    let answer = exchange(&mut stream, &post("/api/auth/sign-in", &body));
    let (_, rest) = answer.split_once("\"access_token\":\"").unwrap();
    rest.split('"').next().unwrap().to_owned()
}

/// Sends a request and reads the answer whole.
fn exchange(stream: &mut TcpStream, request: &str) -> String {
    stream.write_all(request.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    let mut buffer = [0; 8192];
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .map_or(0, |length| length.parse::<usize>().unwrap());
            if body.len() >= length {
                return text.replace("\r\n", "\n");
            }
        }
        let count = stream.read(&mut buffer).unwrap();
        assert!(count > 0, "the server hung up");
        bytes.extend_from_slice(&buffer[..count]);
    }
}

/// Sends the same request over several connections that stay open.
fn drive(address: SocketAddr, request: &str, requests: usize) {
    std::thread::scope(|scope| {
        for _ in 0..CONNECTIONS {
            scope.spawn(move || {
                let mut stream = TcpStream::connect(address).unwrap();
                stream.set_nodelay(true).unwrap();
                for _ in 0..requests / CONNECTIONS {
                    exchange(&mut stream, request);
                }
            });
        }
    });
}

fn cpu_per_request(process: &Process, address: SocketAddr, request: &str) -> f64 {
    let before = cpu_micros(process);
    drive(address, request, REQUESTS);
    (cpu_micros(process) - before) / REQUESTS as f64
}

/// Processor time of all threads, in user and system, from the scheduler's own account.
fn cpu_micros(process: &Process) -> f64 {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", process.0.id())).unwrap();
    let nanos: f64 = tasks
        .map(|task| {
            let text = std::fs::read_to_string(task.unwrap().path().join("schedstat")).unwrap();
            text.split_whitespace()
                .next()
                .unwrap()
                .parse::<f64>()
                .unwrap()
        })
        .sum();
    nanos / 1000.0
}

fn latencies(address: SocketAddr, request: &str, count: usize) -> Vec<Duration> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    (0..count)
        .map(|_| {
            let began = Instant::now();
            exchange(&mut stream, request);
            began.elapsed()
        })
        .collect()
}

fn p99(values: &mut [Duration]) -> Duration {
    values.sort_unstable();
    values[values.len() * 99 / 100]
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}
