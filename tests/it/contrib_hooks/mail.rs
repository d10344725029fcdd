//! The script that sends mail, with a sendmail that only writes down what it got.

use super::*;

/// A `sendmail` that writes arguments and message to files, and refuses a message if there is a file `refuse`.
fn sendmail(dir: &Path) {
    let text = r#"cd "$(dirname "$0")" || exit
[ ! -e refuse ] || { cat >/dev/null; echo "sendmail: cannot connect to 127.0.0.1:25"; exit 75; }
echo "$*" >arguments
cat >message"#;
    program(dir, "sendmail", text);
}

/// Decodes a header field of encoded words (RFC 2047).
fn decode(field: &str) -> String {
    let mut text = Vec::new();
    for word in field.split_ascii_whitespace() {
        assert!(word.len() <= 75, "{word}");
        let word = word.strip_prefix("=?UTF-8?Q?").and_then(|rest| rest.strip_suffix("?=")).expect("a word");
        let mut bytes = Vec::new();
        let mut rest = word.as_bytes();
        while let [first, after @ ..] = rest {
            let (byte, after) = match (first, after) {
                (b'=', [a, b, after @ ..]) => {
                    let hex = std::str::from_utf8(&[*a, *b]).map(|hex| u8::from_str_radix(hex, 16));
                    (hex.expect("ASCII").expect("hexadecimal"), after)
                }
                _ => (*first, after),
            };
            bytes.push(byte);
            rest = after;
        }
        // A character must not be split among words.
        text.push(String::from_utf8(bytes).expect("UTF-8"));
    }
    text.concat()
}

#[test]
fn mail_has_one_subject_and_one_line_of_text() {
    let dir = directory("mail");
    sendmail(&dir);
    for mut shell in shells("mail") {
        shell.path = format!("{}:{}", dir.display(), shell.path);
        let names = ["web", "x\nBcc: all@example.org", "=?UTF-8?Q?x?=", "büro", &"日本🦀".repeat(40)];
        for (name, text) in names.iter().flat_map(|name| HOSTILE.map(|text| (name, text))) {
            let env = [
                ("MAIL_TO", "a@example.org, b@example.org"),
                ("MAIL_FROM", "pingstate@example.org\n"),
                ("PINGSTATE_TARGET", name),
                ("PINGSTATE_TO", "down"),
                ("PINGSTATE_TEXT", text),
            ];
            assert_eq!(shell.run(&["mail"], &env), (0, String::new()));
            assert_eq!(fs::read_to_string(dir.join("arguments")).expect("text"), "-i -t\n");
            let message = fs::read_to_string(dir.join("message")).expect("UTF-8");
            let (head, body) = message.split_once("\n\n").expect("a head");
            assert_eq!(body, line(text) + "\n");
            let fields: Vec<String> = head.replace("\n ", " ").lines().map(str::to_owned).collect();
            let expected = line(&format!("{name} is down"));
            let subject = fields[2].strip_prefix("Subject: ").expect("the subject");
            match expected.is_ascii() && !expected.contains("=?") {
                true => assert_eq!(subject, expected),
                false => assert_eq!(decode(subject), expected),
            }
            let mut others = fields.clone();
            others.remove(2);
            assert_eq!(
                others,
                [
                    "To: a@example.org, b@example.org",
                    "From: pingstate@example.org ",
                    "Auto-Submitted: auto-generated",
                    "MIME-Version: 1.0",
                    "Content-Type: text/plain; charset=utf-8",
                    "Content-Transfer-Encoding: 8bit",
                ]
            );
        }
    }
}

#[test]
fn mail_reports_what_sendmail_says() {
    let dir = directory("mail-refused");
    sendmail(&dir);
    fs::write(dir.join("refuse"), "").expect("written");
    for shell in shells("mail-refused") {
        let program = dir.join("sendmail").display().to_string();
        let env = [("MAIL_TO", "a@example.org"), ("SENDMAIL", &program), ("PINGSTATE_TEST", "1")];
        let refused = "mail: sendmail: cannot connect to 127.0.0.1:25\n";
        assert_eq!(shell.run(&["mail"], &env), (1, refused.to_owned()));
        let (status, output) = shell.run(&["mail"], &env[1..]);
        assert!(status == 1 && output.starts_with("mail: MAIL_TO is not set"), "{output}");
        if !["/usr/sbin/sendmail", "/usr/lib/sendmail"].iter().any(|path| Path::new(path).exists()) {
            let expected = "mail: sendmail is not installed\n".to_owned();
            assert_eq!(shell.run(&["mail"], &env[..1]), (1, expected));
        }
    }
}
