//! Cards, directories, short cuts: what people do with a client on other days.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod world;

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpListener,
    path::PathBuf,
    process::{Command, Stdio},
    thread,
};

use world::{Node, Person, World, program, text, texts};

#[test]
fn a_card_is_shown_and_rotated_and_nothing_is_lost() {
    let world = World::start();
    let (bobo, peter) = world.bobo_and_peter();
    let shown = |who: &str| peter.via(&["card", "show", who]).ok().remove(0);
    let before = shown("bobo");
    assert_eq!(before["address"], bobo.address.as_str());
    assert_eq!(before["node"], world.b.address.as_str());
    // Only its owner hands out the capability.
    assert_eq!(before["full"].get("inbox"), None);
    let short = bobo.short_card();
    assert_eq!(shown(&short), before);
    assert_eq!(before["short"], short.as_str());

    let rotated = bobo.via(&["card", "rotate"]).ok().remove(0);
    assert_eq!(rotated["address"], bobo.address.as_str());
    assert_ne!(rotated["key"], before["key"]);
    let number =
        |card: &serde_json::Value| -> u64 { card["version"].as_str().unwrap().parse().unwrap() };
    assert!(number(&rotated) > number(&before));

    // Peter still has the old card. Its key is good until the card expires.
    peter.send("bobo", "to the old key");
    let now = shown("bobo");
    assert_eq!(now["key"], rotated["key"]);
    // The short card that Peter got is of the old one, and he is told so.
    let mut person = Command::new(program("client"));
    let (home, password) = (peter.file("home"), peter.file("../password"));
    person
        .arg("--home")
        .arg(home)
        .arg("--password-file")
        .arg(password);
    person.args(["card", "show", &short, "--relay", &world.d.address]);
    let output = person.stdin(Stdio::null()).output().unwrap();
    let note = String::from_utf8(output.stderr).unwrap();
    assert!(note.contains("renewed since then"), "{note}");
    peter.send("bobo", "to the new key");
    let received = bobo.collect(2);
    assert_eq!(texts(&received), ["to the old key", "to the new key"]);
}

#[test]
fn an_address_is_enough_to_write_to_and_a_registration_can_listen() {
    let world = World::start();
    let (bobo, carol) = (
        world.person("bobo", &world.a),
        world.person("carol", &world.d),
    );
    carol.register(&world.c, "$1.00");
    let invite = world.b.invite("$1.00");
    let listening = bobo.start(&[
        "register",
        "--node",
        &world.b.address,
        "--invite",
        &invite,
        "--relay",
        &world.a.address,
        "--listen",
    ]);
    let registered = listening.next("registered", |line| line["registered"] == true);
    assert_eq!(registered["node"], world.b.address.as_str());
    listening.event("listening");

    // Nobody is in Carol's contacts: she asks the nodes.
    assert!(carol.ok(&["contacts", "list", "--all"]).is_empty());
    let sent = carol.send(&bobo.address, "found you");
    assert_eq!(sent["node"], world.b.address.as_str());
    let message = listening.event("message");
    assert_eq!(message["text"], "found you");
    assert_eq!(message["from"], carol.address.as_str());

    // Ctrl-C is no failure of the node or the network, and scripts can tell.
    let error = listening.interrupt().failed(130);
    assert_eq!(error["kind"], "interrupted");
}

/// Serves what is in a file, as a web server would.
fn web_server(file: PathBuf) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/nodes.json", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 4_096];
            let _ = stream.read(&mut request);
            let body = fs::read(&file).unwrap();
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                body.len()
            );
            let _ = stream.write_all(&[head.as_bytes(), &body].concat());
        }
    });
    url
}

#[test]
fn the_directory_comes_from_a_url_or_from_nodes() {
    let world = World::start();
    let few = world.directory.with_file_name("few.json");
    let lines = |nodes: &[&Node]| -> String {
        let lines = nodes.iter().map(|node| format!("{}\n", node.record));
        lines.collect()
    };
    fs::write(&few, lines(&[&world.a])).unwrap();
    let known = |person: &Person| person.ok(&["nodes"]).len();

    let url = web_server(few.clone());
    let bobo = world.vacant("bobo", &world.a).init(url.as_ref(), &[]);
    assert_eq!(known(&bobo), 1);
    fs::write(&few, lines(&[&world.a, &world.b])).unwrap();
    let refreshed = bobo.ok(&["nodes", "refresh"]).remove(0);
    assert_eq!(
        (&refreshed["new"], &refreshed["known"]),
        (&1.into(), &2.into())
    );
    bobo.register(&world.b, "$1.00");

    // From a file there is no URL: a node that is known tells what it knows.
    fs::write(&few, lines(&[&world.a])).unwrap();
    let peter = world.vacant("peter", &world.a).init(&few, &[]);
    let refreshed = peter.ok(&["nodes", "refresh"]).remove(0);
    assert_eq!(
        (&refreshed["new"], &refreshed["known"]),
        (&3.into(), &4.into())
    );
}

#[test]
fn nodes_serve_tls_from_certificate_files() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let [certificate, key, password, directory] =
        ["cert.pem", "key.pem", "password", "nodes.json"].map(|name| root.join(name));
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    fs::write(&certificate, made.cert.pem()).unwrap();
    fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    fs::write(&password, "a password").unwrap();
    let mut nodes = [("relay", "a"), ("recipient", "b")]
        .map(|(program, name)| Node::init(program, name, root, &password, &[]));
    let mut lines = String::new();
    for node in &mut nodes {
        node.secure(&certificate, &key);
        lines.push_str(&format!("{}\n", node.record));
    }
    fs::write(&directory, lines).unwrap();
    for node in &mut nodes {
        node.ask(&["directory", "import", &directory.to_string_lossy()]);
        node.start();
    }
    let [relay, recipient] = nodes;
    let bobo = Person::vacant("bobo", root, &password, &relay).init(&directory, &[]);
    let invite = recipient.invite("$1.00");
    let words = [
        "register",
        "--node",
        &recipient.address,
        "--invite",
        &invite,
    ];
    // Who does not trust the certificate does not connect.
    bobo.via(&words).failed(4);
    let certificate = certificate.to_string_lossy();
    let trusting = [&words[..], &["--tls-roots", &certificate]].concat();
    let registered = bobo.via(&trusting).ok();
    assert_eq!(text(&registered, "node"), recipient.address);
}
