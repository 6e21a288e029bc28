//! Stands before a chain's node, and answers some questions otherwise.

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

pub(crate) struct Proxy {
    pub(crate) url: String,
}

impl Proxy {
    /// What `otherwise` has no answer for goes to the chain's node. It ends with the test.
    pub(crate) async fn start(
        chain: &str,
        otherwise: impl Fn(&Value) -> Option<Value> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let chain = chain.to_owned();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let Some(question) = read(&mut stream).await else {
                    continue;
                };
                let value: Value = serde_json::from_slice(&question).unwrap();
                let answer = match otherwise(&value) {
                    Some(mut answer) => {
                        answer["jsonrpc"] = json!("2.0");
                        answer["id"] = value["id"].clone();
                        answer.to_string().into_bytes()
                    }
                    None => {
                        let request = http.post(&chain).body(question);
                        let request = request.header("content-type", "application/json");
                        let answer = request.send().await.unwrap().bytes().await;
                        answer.unwrap().to_vec()
                    }
                };
                let length = answer.len();
                let head = format!(
                    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\
                     content-length: {length}\r\nconnection: close\r\n\r\n"
                );
                let _ = stream.write_all(head.as_bytes()).await;
                let _ = stream.write_all(&answer).await;
            }
        });
        Self { url }
    }
}

/// The body of a request.
async fn read(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).to_ascii_lowercase();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let mut lines = head.lines();
            let length = lines.find_map(|line| line.strip_prefix("content-length:"))?;
            let length: usize = length.trim().parse().ok()?;
            if body.len() >= length {
                return Some(bytes[bytes.len() - body.len()..].to_vec());
            }
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}
