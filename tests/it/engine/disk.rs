//! A disk that fills up in the middle of a mailing.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::{Bench, Plan};
use crate::harness::{eventually, there};
use crate::smtp::{Action, Said, Script};

/// A small file system of its own, unmounted when it is dropped.
struct Disk(PathBuf);

impl Disk {
    /// `None`, after saying so, where this process may not mount.
    fn mount(at: &Path, size: &str) -> Option<Self> {
        std::fs::create_dir_all(at).unwrap();
        let status = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(at)
            .status()
            .is_ok_and(|status| status.success());
        there(status, "the right to mount a small disk, which is root's,").then(|| Self(at.to_owned()))
    }

    fn fill(&self) {
        use std::io::Write as _;
        let mut ballast = std::fs::File::create(self.0.join("ballast")).unwrap();
        while ballast.write_all(&[1; 4096]).is_ok() {}
    }

    fn free(&self) {
        std::fs::remove_file(self.0.join("ballast")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_stops_the_mail_and_not_the_feeds_and_goes_by_itself() {
    let directory = tempfile::tempdir().unwrap();
    let Some(disk) = Disk::mount(&directory.path().join("disk"), "32m") else { return };
    let database = format!("sqlite:{}", directory.path().join("disk/tidings.db").display());
    let slow = Script::default().on(Said::Content, Action::CommitAndWait(Duration::from_millis(10)));
    let bench = Bench::on(Some(database), Plan::new(6_000, 16), slow).await;
    let (mut process, url) = bench.web_and_sender();
    bench.reaches(500, Duration::from_secs(60)).await;
    disk.fill();
    // There may be room for some more in files that are there already.
    eventually(Duration::from_secs(60), "the mail stops", async || {
        let before = bench.peer.count();
        tokio::time::sleep(Duration::from_secs(2)).await;
        bench.peer.count() == before
    })
    .await;
    let stopped = bench.peer.count();
    for _ in 0..20 {
        assert_eq!(bench.app.get(&format!("{url}/weekly/atom.xml")).await.status, 200, "a feed while the disk is full");
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    assert_eq!(bench.peer.count(), stopped, "nothing is handed while it cannot be made durable");
    assert!(stopped < bench.people);
    disk.free();
    bench.finishes(Duration::from_secs(120)).await;
    assert!(bench.keeps_its_promise().await.is_empty(), "nothing is sent twice");
    assert!(process.0.try_wait().unwrap().is_none(), "the same process finished it");
}
