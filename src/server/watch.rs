//! The files a configuration is made of, watched: says when what they hold is another. Knows nothing of what that means.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::event::{EventKind, ModifyKind};
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};
use ring::digest::{Digest, SHA256, digest};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

/// What is watched are directories: a file may be replaced by another of its name, as editors do, or a link on the way to it
/// may, as Kubernetes does with `..data`.
pub struct Watch {
    watcher: RecommendedWatcher,
    stirred: Arc<Notify>,
    files: Held,
    directories: BTreeSet<PathBuf>,
}

/// By path, what each file held when it was last looked at; `None` for what could not be read.
pub type Held = BTreeMap<PathBuf, Option<Vec<u8>>>;

/// Looks at files that are about to be read for use.
pub fn look(files: BTreeSet<PathBuf>) -> Held {
    files
        .into_iter()
        .map(|path| {
            let held = held(&path);
            (path, held)
        })
        .collect()
}

/// How long nothing may happen before the files are read: who writes a certificate and its key writes two files.
const QUIET: Duration = Duration::from_millis(300);

/// How long that is waited for at most.
const RESTLESS: Duration = Duration::from_secs(3);

impl Watch {
    /// What has changed since the files were looked at is a change.
    ///
    /// # Errors
    /// Why the system does not tell of changes.
    pub fn new(files: Held) -> notify::Result<Watch> {
        let stirred = Arc::new(Notify::new());
        let teller = stirred.clone();
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            // What was not understood may have been a change.
            if event.map_or(true, |event| is_change(event.kind)) {
                teller.notify_one();
            }
        })?;
        let mut watch = Watch { watcher, stirred, files, directories: BTreeSet::new() };
        watch.attach();
        watch.stirred.notify_one();
        Ok(watch)
    }

    /// Watches these from now on. What was watched before keeps what it was seen to hold.
    pub fn follow(&mut self, files: BTreeSet<PathBuf>) {
        let mut known = std::mem::take(&mut self.files);
        self.files = files
            .into_iter()
            .map(|path| {
                let held = known.remove(&path).unwrap_or_else(|| held(&path));
                (path, held)
            })
            .collect();
        self.attach();
    }

    /// When a file holds something else than when it was last looked at, and nothing more happens for a moment.
    pub async fn changed(&mut self) {
        loop {
            self.stirred.notified().await;
            let deadline = Instant::now() + RESTLESS;
            let quiet = || deadline.min(Instant::now() + QUIET);
            while Instant::now() < deadline && timeout_at(quiet(), self.stirred.notified()).await.is_ok() {}
            self.attach();
            if self.differs() {
                return;
            }
        }
    }

    fn differs(&self) -> bool {
        self.files.iter().any(|(path, known)| held(path) != *known)
    }

    /// Looks at every file, before it is read for use: what changes after that is a change.
    pub fn note(&mut self) {
        for (path, known) in &mut self.files {
            *known = held(path);
        }
    }

    /// Watches each directory a file is in, and the one it really is in. One that was replaced is another, so that all are
    /// taken again each time.
    fn attach(&mut self) {
        let directories: BTreeSet<PathBuf> = self.files.keys().flat_map(|path| places(path)).collect();
        for gone in self.directories.difference(&directories) {
            // It may be gone indeed.
            self.watcher.unwatch(gone).ok();
        }
        for directory in &directories {
            if let Err(error) = self.watcher.watch(directory, RecursiveMode::NonRecursive) {
                tracing::warn!(directory = %directory.display(), %error, "changes in a directory are not seen");
            }
        }
        self.directories = directories;
    }
}

/// Reading a file is none, and neither is writing to one that is open: who does that closes it in the end. The audit log may
/// lie in the same directory.
fn is_change(kind: EventKind) -> bool {
    use notify::event::{AccessKind, AccessMode};
    match kind {
        EventKind::Access(kind) => kind == AccessKind::Close(AccessMode::Write),
        // Elsewhere nobody tells of the end.
        EventKind::Modify(ModifyKind::Data(_)) => !cfg!(target_os = "linux"),
        _ => true,
    }
}

fn places(path: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let real = std::fs::canonicalize(path).ok();
    let parent = |path: &Path| match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    [Some(parent(path)), real.map(|real| parent(&real))].into_iter().flatten()
}

fn held(path: &Path) -> Option<Vec<u8>> {
    let sum = |bytes: Vec<u8>| -> Digest { digest(&SHA256, &bytes) };
    std::fs::read(path).ok().map(|bytes| sum(bytes).as_ref().to_vec())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use tokio::time::timeout;

    use super::*;

    /// A directory of its own, removed at the end.
    struct Place(PathBuf);

    impl Place {
        fn new(name: &str) -> Place {
            let directory = std::env::temp_dir().join(format!("promptgate-watch-{}-{name}", std::process::id()));
            fs::create_dir(&directory).unwrap();
            Place(directory)
        }

        fn path(&self, name: &str) -> PathBuf {
            self.0.join(name)
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).ok();
        }
    }

    async fn sees(watch: &mut Watch) -> bool {
        let seen = timeout(Duration::from_secs(30), watch.changed()).await.is_ok();
        watch.note();
        seen
    }

    #[tokio::test]
    async fn a_file_that_is_written_replaced_removed_or_made_is_seen() {
        let place = Place::new("file");
        let file = place.path("a.toml");
        fs::write(&file, "1").unwrap();
        let mut watch = Watch::new(look(BTreeSet::from([file.clone()]))).unwrap();
        fs::write(&file, "2").unwrap();
        assert!(sees(&mut watch).await, "written");
        fs::write(place.path("b.toml"), "3").unwrap();
        fs::rename(place.path("b.toml"), &file).unwrap();
        assert!(sees(&mut watch).await, "replaced");
        fs::remove_file(&file).unwrap();
        assert!(sees(&mut watch).await, "removed");
        fs::write(&file, "4").unwrap();
        assert!(sees(&mut watch).await, "made");
    }

    #[tokio::test]
    async fn a_link_on_the_way_to_a_file_that_is_swapped_is_seen_again_and_again() {
        let place = Place::new("link");
        for (version, text) in [("..1", "1"), ("..2", "2"), ("..3", "3")] {
            fs::create_dir(place.path(version)).unwrap();
            fs::write(place.path(version).join("a.toml"), text).unwrap();
        }
        symlink("..1", place.path("..data")).unwrap();
        symlink("..data/a.toml", place.path("a.toml")).unwrap();
        let mut watch = Watch::new(look(BTreeSet::from([place.path("a.toml")]))).unwrap();
        for version in ["..2", "..3"] {
            symlink(version, place.path("..data_tmp")).unwrap();
            fs::rename(place.path("..data_tmp"), place.path("..data")).unwrap();
            assert!(sees(&mut watch).await, "{version}");
        }
        fs::write(place.path("..3/a.toml"), "4").unwrap();
        assert!(sees(&mut watch).await, "written where it really is");
    }

    #[tokio::test]
    async fn what_changed_before_it_was_watched_is_seen() {
        let place = Place::new("before");
        let file = place.path("a.toml");
        fs::write(&file, "1").unwrap();
        let held = look(BTreeSet::from([file.clone()]));
        fs::write(&file, "2").unwrap();
        assert!(sees(&mut Watch::new(held).unwrap()).await);
    }

    #[tokio::test]
    async fn a_file_that_holds_what_it_held_has_not_changed() {
        let place = Place::new("same");
        let file = place.path("a.toml");
        fs::write(&file, "1").unwrap();
        let mut watch = Watch::new(look(BTreeSet::from([file.clone()]))).unwrap();
        fs::write(&file, "1").unwrap();
        assert!(!watch.differs());
        fs::write(&file, "2").unwrap();
        assert!(watch.differs());
        watch.note();
        assert!(!watch.differs());
    }

    #[test]
    fn who_reads_a_file_or_adds_to_an_open_one_changes_nothing() {
        use notify::event::{AccessKind, AccessMode, CreateKind, DataChange, RenameMode};
        for (kind, expected) in [
            (EventKind::Access(AccessKind::Open(AccessMode::Any)), false),
            (EventKind::Access(AccessKind::Close(AccessMode::Read)), false),
            (EventKind::Modify(ModifyKind::Data(DataChange::Any)), false),
            (EventKind::Access(AccessKind::Close(AccessMode::Write)), true),
            (EventKind::Modify(ModifyKind::Name(RenameMode::To)), true),
            (EventKind::Create(CreateKind::File), true),
            (EventKind::Any, true),
        ] {
            assert_eq!(is_change(kind), expected, "{kind:?}");
        }
    }
}
