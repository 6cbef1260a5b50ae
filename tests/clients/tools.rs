//! Tool chains of other languages: found, filled with pinned packages once, and kept below the target directory.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// How long it may take to fetch packages.
const FETCH_MAX: Duration = Duration::from_secs(300);

/// Packages are fetched by one test at a time.
static FETCHING: Mutex<()> = Mutex::new(());

/// Why a client cannot be tried here.
pub struct Missing(pub String);

/// Where everything goes that the tests make.
pub fn scratch() -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("clients");
    std::fs::create_dir_all(&path).unwrap();
    path
}

/// The directory of this file.
pub fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/clients").canonicalize().unwrap()
}

/// A shell script, if these programs are there.
pub fn script(file: &str, needs: &[&str]) -> Result<Command, Missing> {
    needs.iter().try_for_each(|program| find(program))?;
    let mut command = Command::new("sh");
    command.arg(here().join(file));
    Ok(command)
}

/// A Python program, in an environment with the pinned packages.
pub fn python(file: &str) -> Result<Command, Missing> {
    find("python3")?;
    let (place, wanted) = (scratch().join("python"), here().join("requirements.txt"));
    fetched_once(&place, &wanted, || {
        run(Command::new("python3").args(["-m", "venv"]).arg(&place))?;
        let pip = place.join("bin/pip");
        run(Command::new(pip).args(["install", "--quiet", "--retries", "1", "--timeout", "20", "-r"]).arg(&wanted))
    })?;
    let mut command = Command::new(place.join("bin/python"));
    command.arg("-B").arg(here().join(file));
    Ok(command)
}

/// The unpacked source distribution of a Python package, without what it needs.
pub fn source(package: &str, version: &str) -> Result<PathBuf, Missing> {
    let (place, pip) = (scratch().join("source"), scratch().join("python/bin/pip"));
    let name = format!("{}-{version}", package.replace('-', "_"));
    let wanted = here().join("requirements.txt");
    fetched_once(&place, &wanted, || {
        let flags = ["download", "--quiet", "--no-deps", "--no-binary", ":all:", "--retries", "1", "--timeout", "20", "--dest"];
        run(Command::new(pip).args(flags).arg(&place).arg(format!("{package}=={version}")))?;
        run(Command::new("tar").arg("xzf").arg(place.join(format!("{name}.tar.gz"))).arg("-C").arg(&place))
    })?;
    Ok(place.join(name))
}

/// A JavaScript program; the pinned packages lie beside it, in the directory that is its second argument.
pub fn node(file: &str) -> Result<Command, Missing> {
    find("node")?;
    find("npm")?;
    let (place, wanted) = (scratch().join("node"), here().join("package.json"));
    fetched_once(&place, &wanted, || {
        std::fs::copy(&wanted, place.join("package.json")).map_err(|error| Missing(error.to_string()))?;
        let flags = ["install", "--no-audit", "--no-fund", "--ignore-scripts", "--fetch-retries", "1"];
        run(Command::new("npm").args(flags).current_dir(&place))
    })?;
    let mut command = Command::new("node");
    command.arg(here().join(file));
    Ok(command)
}

/// The Java program, compiled for and run with this version of the client.
pub fn java(version: &str) -> Result<Command, Missing> {
    ["java", "javac", "mvn"].iter().try_for_each(|program| find(program))?;
    let (place, wanted) = (scratch().join(format!("java-{version}")), here().join("pom.xml"));
    fetched_once(&place, &wanted, || {
        let arguments = ["-q", "-B", "dependency:copy-dependencies"];
        let directory = format!("-DoutputDirectory={}", place.join("lib").display());
        run(Command::new("mvn").args(arguments).arg(format!("-Dkafka={version}")).arg(directory).arg("-f").arg(&wanted))
    })?;
    let path = format!("{}/lib/*:{}", place.display(), place.join("classes").display());
    let source = here().join("Client.java");
    run(Command::new("javac").args(["-nowarn", "-cp", &path, "-d"]).arg(place.join("classes")).arg(source))?;
    let mut command = Command::new("java");
    command.args(["-XX:TieredStopAtLevel=1", "-cp", &path, "Client"]);
    Ok(command)
}

/// Does what fills `place`, unless that was done before with the same list of packages.
fn fetched_once(place: &Path, wanted: &Path, fetch: impl FnOnce() -> Result<(), Missing>) -> Result<(), Missing> {
    let _guard = FETCHING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let (mark, wanted) = (place.join("fetched"), std::fs::read(wanted).unwrap());
    if std::fs::read(&mark).is_ok_and(|done| done == wanted) {
        return Ok(());
    }
    std::fs::create_dir_all(place).unwrap();
    fetch()?;
    std::fs::write(mark, wanted).unwrap();
    Ok(())
}

fn find(program: &str) -> Result<(), Missing> {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    match std::env::split_paths(&paths).any(|path| path.join(program).is_file()) {
        true => Ok(()),
        false => Err(Missing(format!("there is no `{program}` here"))),
    }
}

fn run(command: &mut Command) -> Result<(), Missing> {
    output_within(command, FETCH_MAX).map(drop).map_err(Missing)
}

/// Runs a program to its end, and gives what it has printed; it is ended if it takes too long.
pub fn output_within(command: &mut Command, patience: Duration) -> Result<(String, String), String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{name}: {error}"))?;
    let (out, err) = (reader(child.stdout.take()), reader(child.stderr.take()));
    let deadline = Instant::now() + patience;
    let status = loop {
        match child.try_wait().map_err(|error| format!("{name}: {error}"))? {
            Some(status) => break Some(status),
            None if Instant::now() >= deadline => {
                let _ = child.kill();
                let _ = child.wait();
                break None;
            }
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    let (out, err) = (out.join().unwrap(), err.join().unwrap());
    match status {
        Some(status) if status.success() => Ok((out, err)),
        Some(status) => Err(format!("{name}: {status}\n{out}\n{err}")),
        None => Err(format!("{name} did not end within {patience:?}\n{out}\n{err}")),
    }
}

fn reader(stream: Option<impl Read + Send + 'static>) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = stream.unwrap().read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}
