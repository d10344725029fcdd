//! Lines of any length are read.

use super::*;

#[test]
fn long_lines_are_cut() {
    let mut text = vec![b'x'; 3 * LINE_MAX];
    text.extend(b"\nsecond\n\nlast");
    let mut file = BufReader::with_capacity(1000, &*text);
    let (mut line, mut lengths) = (Vec::new(), Vec::new());
    while read_line(&mut file, &mut line).unwrap() {
        lengths.push(line.len());
    }
    assert_eq!(lengths, [LINE_MAX + 1, 6, 0, 4]);
    assert_eq!(line, b"");
}

#[test]
fn the_directory_of_a_path_may_be_the_current_one() {
    assert_eq!(directory(Path::new("state")), Path::new("."));
    assert_eq!(directory(Path::new("/var/state")), Path::new("/var"));
    assert_eq!(temporary(Path::new("/var/state")), Path::new("/var/state.tmp"));
}
