//! The path at which processes meet. Who serves listens there; a new one listens beside it until it serves, and then
//! takes the name over by renaming, so that there is no moment without anybody.

use super::HandoverError;
use socket2::{Domain, SockAddr, Socket, Type};
use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::net::{UnixListener, UnixStream};

/// Only the owner may connect.
const MODE: u32 = 0o600;

/// How often to look again, and when, where a process ends at the very moment when it is asked.
const TRIES: usize = 10;
const MOMENT: Duration = Duration::from_millis(50);

/// A path, and a listening socket that is to be found there.
#[derive(Debug)]
pub(super) struct Place {
    path: PathBuf,
    /// Where the socket is until it is found at the path.
    beside: Option<PathBuf>,
    /// Which file is ours (device, inode).
    file: (u64, u64),
}

impl Place {
    /// Whoever listens at the path; nobody if there is nothing, or what a dead process left.
    pub(super) async fn find(path: &Path) -> Result<Option<UnixStream>, HandoverError> {
        let wrong = |error| HandoverError::Place { path: path.to_owned(), error };
        match fs::symlink_metadata(path) {
            Ok(file) if !file.file_type().is_socket() => return Err(HandoverError::Taken(path.to_owned())),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(wrong(error)),
        }
        for _ in 0..TRIES {
            match UnixStream::connect(path).await {
                Ok(stream) => return Ok(Some(stream)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                    // A process that is killed closes its sockets one after the other; this may have been the first.
                    tokio::time::sleep(MOMENT).await;
                    return Ok(None);
                }
                // It ended while we waited for it; the rest of it ends in a moment.
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => tokio::time::sleep(MOMENT).await,
                Err(error) => return Err(wrong(error)),
            }
        }
        Err(wrong(io::ErrorKind::ConnectionReset.into()))
    }

    /// Listens beside the path.
    pub(super) fn prepare(path: &Path) -> Result<(Self, UnixListener), HandoverError> {
        let mut beside = path.as_os_str().to_owned();
        beside.push(format!(".{}", std::process::id()));
        let beside = PathBuf::from(beside);
        let listen = || -> io::Result<((u64, u64), UnixListener)> {
            match fs::remove_file(&beside) {
                // A dead process had our number.
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
            let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
            socket.set_nonblocking(true)?;
            socket.bind(&SockAddr::unix(&beside)?)?;
            // Before anybody can connect.
            fs::set_permissions(&beside, fs::Permissions::from_mode(MODE))?;
            socket.listen(16)?;
            let file = fs::symlink_metadata(&beside)?;
            Ok(((file.dev(), file.ino()), UnixListener::from_std(socket.into())?))
        };
        match listen() {
            Ok((file, listener)) => Ok((Self { path: path.to_owned(), beside: Some(beside), file }, listener)),
            Err(error) => Err(HandoverError::Place { path: path.to_owned(), error }),
        }
    }

    /// Is found at the path from now on.
    pub(super) fn occupy(&mut self) -> io::Result<()> {
        if let Some(beside) = &self.beside {
            fs::rename(beside, &self.path)?;
            self.beside = None;
        }
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let path = self.beside.as_ref().unwrap_or(&self.path);
        // Somebody else may be found there by now.
        if fs::symlink_metadata(path).is_ok_and(|file| (file.dev(), file.ino()) == self.file) {
            // A file that stays is in nobody's way.
            let _ = fs::remove_file(path);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_place_is_taken_over_and_never_empty() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("handover");
        assert!(Place::find(&path).await.unwrap().is_none());
        let (mut one, first) = Place::prepare(&path).unwrap();
        assert!(Place::find(&path).await.unwrap().is_none(), "not yet");
        one.occupy().unwrap();
        assert!(Place::find(&path).await.unwrap().is_some());
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, MODE);
        // The next one has the same process id here, but not the same file.
        let (mut other, second) = Place::prepare(&path).unwrap();
        first.accept().await.unwrap();
        other.occupy().unwrap();
        assert!(Place::find(&path).await.unwrap().is_some());
        second.accept().await.unwrap();
        drop((one, first));
        assert!(Place::find(&path).await.unwrap().is_some(), "it is not the first one's any more");
        drop((other, second));
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn what_a_dead_process_left_is_in_nobodys_way() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("handover");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        assert!(Place::find(&path).await.unwrap().is_none());
        let (mut place, listener) = Place::prepare(&path).unwrap();
        place.occupy().unwrap();
        assert!(Place::find(&path).await.unwrap().is_some());
        drop((place, listener));
    }

    #[tokio::test]
    async fn files_of_others_are_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notes");
        fs::write(&path, "mine").unwrap();
        assert!(matches!(Place::find(&path).await, Err(HandoverError::Taken(_))));
        assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
        assert!(matches!(Place::prepare(Path::new("/nowhere/at/all")), Err(HandoverError::Place { .. })));
        let long = dir.path().join("x".repeat(120));
        assert!(matches!(Place::prepare(&long), Err(HandoverError::Place { .. })));
    }
}
