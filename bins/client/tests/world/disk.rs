//! A small disk, in a mount namespace that nobody else sees.

use std::{
    io::Read as _,
    path::Path,
    process::{Child, Command, Stdio},
};

/// What is in the folder goes onto the disk that is mounted over it.
const MOUNT: &str = r#"set -e
kept=$(mktemp -d)
cp -a "$1/." "$kept"
mount -t tmpfs -o "size=$2,mode=0700" tmpfs "$1"
cp -a "$kept/." "$1"
rm -r "$kept"
echo mounted
exec sleep 600"#;

/// Holds the namespace open; the disk is gone with it.
#[derive(Debug)]
pub struct Disk(Child);

impl Disk {
    /// Mounts a disk over a folder. None if this machine does not let us.
    pub fn mount(folder: &Path, bytes: u64) -> Option<Self> {
        let mut holder = Command::new("unshare")
            .args(["--user", "--map-root-user", "--mount", "sh", "-c", MOUNT])
            .arg("sh")
            .arg(folder)
            .arg(bytes.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let mut said = [0; 7];
        let mut output = holder.stdout.take().expect("a pipe");
        let mounted = output.read_exact(&mut said).is_ok() && &said == b"mounted";
        let disk = Self(holder);
        mounted.then_some(disk)
    }

    /// Runs a program where the disk is seen.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new("nsenter");
        command
            .args(["--user", "--mount", "--preserve-credentials", "--target"])
            .arg(self.0.id().to_string())
            .arg("--")
            .arg(program);
        command
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
