//! The package for OpenWrt in `contrib/openwrt`: the init script is run by the shell of busybox, with functions that
//! record what procd is requested to do, and the makefile with those of OpenWrt replaced.
#![cfg(target_os = "linux")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::*;

const PACKAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/contrib/openwrt");
const RC_COMMON: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/openwrt/rc.common");

fn directory(name: &str) -> PathBuf {
    // Paths with spaces are valid.
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("openwrt {name}"));
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).expect("a directory");
    dir
}

struct Router {
    dir: PathBuf,
    is_running: bool,
}

impl Router {
    /// With the packaged options of UCI and the packaged file.
    fn new(name: &str) -> Router {
        let router = Router { dir: directory(name), is_running: false };
        fs::copy(format!("{PACKAGE}/files/pingstate.config"), router.dir.join("uci")).expect("copied");
        let conf = fs::read_to_string(format!("{PACKAGE}/files/pingstate.conf")).expect("text");
        router.write_conf(&conf);
        router
    }

    fn conf(&self) -> String {
        self.dir.join("pingstate.conf").display().to_string()
    }

    fn write_conf(&self, text: &str) {
        fs::write(self.conf(), text).expect("written");
    }

    fn enable(&self) {
        let text = fs::read_to_string(self.dir.join("uci")).expect("text");
        assert!(
            text.contains("option enabled '0'\n") && text.contains("option conf '/etc/pingstate.conf'\n")
        );
        let text = text.replace("enabled '0'", "enabled '1'").replace("/etc/pingstate.conf", &self.conf());
        fs::write(self.dir.join("uci"), text).expect("written");
    }

    /// The exit status of an action of the init script, and the recorded calls.
    fn run(&self, action: &str) -> (i32, Vec<String>) {
        let record = self.dir.join("record");
        fs::write(&record, "").expect("written");
        let mut command = Command::new("busybox");
        command.args(["ash", RC_COMMON, &format!("{PACKAGE}/files/pingstate.init"), action]);
        command.env("UCI", self.dir.join("uci")).env("RECORD", &record).env("PROGRAM", binary());
        command.env("RUNNING", if self.is_running { "1" } else { "0" });
        let output = command.output().expect("runs");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        let calls = fs::read_to_string(&record).expect("text");
        (output.status.code().expect("a status"), calls.lines().map(str::to_owned).collect())
    }

    fn started(&self) -> Vec<String> {
        let (program, conf) = (binary(), self.conf());
        vec![
            "procd_open_service".to_owned(),
            "procd_open_instance".to_owned(),
            format!(
                "procd_set_param <command> <{}> <--config> <{conf}> <--log-format> <plain>",
                program.to_string_lossy()
            ),
            format!("procd_set_param <file> <{conf}>"),
            "procd_set_param <reload_signal> <HUP>".to_owned(),
            "procd_set_param <respawn> <3600> <5> <0>".to_owned(),
            "procd_set_param <stderr> <1>".to_owned(),
            "procd_close_instance".to_owned(),
            "procd_close_service".to_owned(),
        ]
    }

    fn logged(&self) -> String {
        let error = "--fall: `x` is not a whole number";
        format!("logger <-s> <-t> <pingstate> <-p> <daemon.err> <pingstate: {}:1: {error}>", self.conf())
    }
}

#[test]
fn the_service_starts_if_it_is_enabled_and_its_file_is_valid() {
    if !has("busybox", &["ash", "-c", ":"]) {
        return;
    }
    let router = Router::new("start");
    let nothing = ["procd_open_service", "procd_close_service"];
    let (status, calls) = router.run("start");
    assert_eq!((status, &*calls), (0, &nothing.map(str::to_owned)[..]), "disabled");
    router.enable();
    assert_eq!(router.run("start"), (0, router.started()));
    router.write_conf("a tcp://127.0.0.1:1 --fall x\n");
    let (status, calls) = router.run("start");
    assert_eq!((status, &*calls), (1, &[nothing[0].to_owned(), router.logged(), nothing[1].to_owned()][..]));
}

#[test]
fn a_reload_signals_the_daemon_if_its_file_is_valid() {
    if !has("busybox", &["ash", "-c", ":"]) {
        return;
    }
    let mut router = Router::new("reload");
    router.enable();
    assert_eq!(router.run("reload"), (0, router.started()), "not running");
    router.is_running = true;
    assert_eq!(router.run("reload"), (0, vec!["procd_send_signal <pingstate> <*> <HUP>".to_owned()]));
    router.write_conf("a tcp://127.0.0.1:1 --fall x\n");
    assert_eq!(router.run("reload"), (1, vec![router.logged()]));
    // procd ends the instances that a service no longer has.
    fs::write(router.dir.join("uci"), "config pingstate 'main'\n").expect("written");
    let (status, calls) = router.run("reload");
    assert_eq!((status, calls.join(" ")), (0, "procd_open_service procd_close_service".to_owned()));
}

#[test]
fn changed_options_restart_the_service() {
    if has("busybox", &["ash", "-c", ":"]) {
        let restart =
            "procd_add_config_trigger <config.change> <pingstate> </etc/init.d/pingstate> <restart>";
        assert_eq!(Router::new("triggers").run("service_triggers"), (0, vec![restart.to_owned()]));
    }
}

#[test]
fn shellcheck_accepts_the_init_script() {
    if has("shellcheck", &["--version"]) {
        // `local` is in the shell of busybox, which this version does not know.
        let mut command = Command::new("shellcheck");
        let output = command.args(["-s", "dash", &format!("{PACKAGE}/files/pingstate.init")]).output();
        assert_eq!(String::from_utf8_lossy(&output.expect("runs").stdout), "");
    }
}

#[test]
fn the_makefile_installs_every_file() {
    if !has("make", &["--version"]) {
        return;
    }
    // make divides words at spaces.
    let top = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("openwrt-makefile");
    let _ = fs::remove_dir_all(&top);
    let write = |path: &str, text: &str| {
        let path = top.join(path);
        fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
        fs::write(path, text).expect("written");
    };
    write(
        "rules.mk",
        "INCLUDE_DIR:=$(TOPDIR)/include\nINSTALL_DIR:=install -d -m0755\nINSTALL_BIN:=install -m0755\n\
         INSTALL_CONF:=install -m0600\n",
    );
    write(
        "include/package.mk",
        "PKG_BUILD_DIR:=$(TOPDIR)/build\nPKG_INSTALL_DIR:=$(TOPDIR)/compiled\ndefine BuildPackage\n\
         all:\n\t$$(call Build/Prepare)\n\t$$(call Build/Compile)\n\
         \t$$(call Package/$(1)/install,$(TOPDIR)/root)\n\t@echo $(PKG_VERSION)\nendef\n",
    );
    write(
        "feeds/packages/lang/rust/rust-package.mk",
        "define Build/Compile\n\tinstall -D $(BINARY) $(PKG_INSTALL_DIR)/bin/pingstate\nendef\n\
         define RustBinPackage\nendef\n",
    );
    let mut make = Command::new("make");
    make.args(["-C", PACKAGE, "-s", "--no-print-directory", &format!("TOPDIR={}", top.display())]);
    let output = make
        .arg(format!("BINARY={}", binary().to_string_lossy()))
        .env_remove("MAKEFLAGS")
        .output()
        .expect("runs");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), env!("CARGO_PKG_VERSION"));
    for (path, source, mode) in [
        ("usr/bin/pingstate", None, 0o755),
        ("etc/init.d/pingstate", Some("pingstate.init"), 0o755),
        ("etc/config/pingstate", Some("pingstate.config"), 0o600),
        ("etc/pingstate.conf", Some("pingstate.conf"), 0o600),
    ] {
        let path = top.join("root").join(path);
        assert_eq!(fs::metadata(&path).expect("a file").permissions().mode() & 0o777, mode, "{path:?}");
        let source = source
            .map_or(Path::new(&binary()).to_owned(), |name| Path::new(PACKAGE).join("files").join(name));
        assert!(fs::read(&path).expect("a file") == fs::read(source).expect("a file"), "{path:?}");
    }
    // What is copied is a complete package: cargo finds every target of the manifest.
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let mut metadata = Command::new(cargo);
    metadata.args(["metadata", "--offline", "--no-deps", "--format-version", "1", "--manifest-path"]);
    let output = metadata.arg(top.join("build/Cargo.toml")).output().expect("runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(top.join("build/Cargo.lock").is_file());
}
