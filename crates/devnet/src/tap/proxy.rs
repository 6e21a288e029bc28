//! The proxy: two threads per connection, bytes unchanged.

use std::{
    io::{self, Read as _, Write as _},
    net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

use super::sheet::{Scribe, Sheet};

/// Bytes that are passed on at once.
const PIECE_BYTES: usize = 64 * 1024;

/// A tap in front of a process. It takes connections as soon as it knows where the process listens.
#[derive(Debug)]
pub(crate) struct Tap {
    address: SocketAddr,
    target: Arc<Mutex<Option<SocketAddr>>>,
    sheet: Arc<Mutex<Sheet>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Tap {
    /// Listens on a free port of `ip`.
    pub(crate) fn new(ip: IpAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((ip, 0))?;
        let tap = Self {
            address: listener.local_addr()?,
            target: Arc::default(),
            sheet: Arc::new(Mutex::new(Sheet::new())),
        };
        let (target, sheet) = (Arc::clone(&tap.target), Arc::clone(&tap.sheet));
        // Ends with the process: a tap has nothing to clean up.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let target = *lock(&target);
                if let Some(target) = target {
                    // A connection that fails is the business of its two ends.
                    let _ = pass(stream, target, &sheet);
                }
            }
        });
        Ok(tap)
    }

    /// Where others connect to.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where connections are passed on to.
    pub(crate) fn set_target(&self, target: SocketAddr) {
        *lock(&self.target) = Some(target);
    }

    /// What was noted so far.
    pub(crate) fn sheet(&self) -> MutexGuard<'_, Sheet> {
        lock(&self.sheet)
    }
}

fn pass(near: TcpStream, target: SocketAddr, sheet: &Arc<Mutex<Sheet>>) -> io::Result<()> {
    let from = near.peer_addr()?.ip();
    let far = TcpStream::connect(target)?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    let scribe = Arc::new(Mutex::new(lock(sheet).open(from)));
    let (near_writer, far_writer) = (near.try_clone()?, far.try_clone()?);
    let note = {
        let (sheet, scribe) = (Arc::clone(sheet), Arc::clone(&scribe));
        move |bytes: &[u8], note: fn(&mut Scribe, &mut Sheet, &[u8])| {
            note(&mut lock(&scribe), &mut lock(&sheet), bytes);
        }
    };
    let requests = {
        let note = note.clone();
        thread::spawn(move || copy(near, far_writer, |bytes| note(bytes, Scribe::request)))
    };
    let sheet = Arc::clone(sheet);
    thread::spawn(move || {
        copy(far, near_writer, |bytes| note(bytes, Scribe::answer));
        // The request's side is shut down by now.
        let _ = requests.join();
        lock(&scribe).close(&mut lock(&sheet));
    });
    Ok(())
}

/// Passes bytes on until one side ends, then ends both: whoever breaks off must be seen to.
fn copy(mut from: TcpStream, mut to: TcpStream, mut note: impl FnMut(&[u8])) {
    let mut buffer = vec![0; PIECE_BYTES];
    loop {
        match from.read(&mut buffer) {
            Ok(0) | Err(_) => break,
            Ok(count) => {
                // Noted first: who is answered must find his question on the sheet.
                note(&buffer[..count]);
                if to.write_all(&buffer[..count]).is_err() {
                    break;
                }
            }
        }
    }
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const HOME: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[test]
    fn bytes_pass_unchanged_and_are_noted() {
        let server = TcpListener::bind((HOME, 0)).unwrap();
        let tap = Tap::new(HOME).unwrap();
        tap.set_target(server.local_addr().unwrap());
        let server = thread::spawn(move || {
            let (mut stream, _) = server.accept().unwrap();
            let mut request = [0; 41];
            stream.read_exact(&mut request).unwrap();
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
                .unwrap();
            request
        });
        let mut client = TcpStream::connect(tap.address()).unwrap();
        let request = b"POST /p HTTP/1.1\r\ncontent-length: 2\r\n\r\n!.";
        client.write_all(&request[..40]).unwrap();
        client.write_all(&request[40..]).unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        assert!(answer.ends_with("\r\n\r\nok"));
        assert_eq!(server.join().unwrap()[..], request[..41]);
        let sheet = tap.sheet();
        assert_eq!(sheet.sources(), [HOME]);
        assert_eq!(sheet.exchanges[0].status, Some(200));
    }
}
