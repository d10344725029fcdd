//! Certificates good and bad, and what is said of them.

use super::*;

const DAY: Duration = Duration::from_secs(86_400);
/// The first moment after the certificates of [`params`] have ended.
const END: Duration = Duration::from_secs(1_767_225_600);

#[test]
fn an_expired_certificate_is_reported_with_its_date() {
    let ca = Party::ca();
    let leaf = Party::signed_by(params(&[HOST]), &ca);
    let config = trusting(&ca);
    assert_eq!(ask(&config, HOST, END, &[&leaf]), Ok(()));
    for (unix, ago) in [
        (END + Duration::from_secs(1), "less than a day ago"),
        (END + DAY, "1 day ago"),
        (END + 30 * DAY, "30 days ago"),
        (Duration::from_secs(u64::MAX), "213503982314147 days ago"),
    ] {
        let text = format!("TLS: certificate expired on Thu, 01 Jan 2026 00:00:00 GMT, {ago}");
        assert_eq!(refusal(&config, HOST, unix, &[&leaf]), (Reason::TlsExpired, text));
    }
}

#[test]
fn a_certificate_not_yet_valid_is_reported_with_the_clock() {
    let ca = Party::ca();
    let leaf = Party::signed_by(params(&[HOST]), &ca);
    let text = "TLS: certificate not valid before Mon, 01 Jan 2024 00:00:00 GMT, \
                and this machine's clock says Thu, 01 Jan 1970 00:00:07 GMT";
    assert_eq!(
        refusal(&trusting(&ca), HOST, Duration::from_secs(7), &[&leaf]),
        (Reason::TlsNotYetValid, text.to_owned())
    );
}

#[test]
fn dates_of_an_issuer_are_reported_as_such() {
    let ca = Party::ca();
    let mut short = ca_params("short-lived CA");
    short.not_after = date_time_ymd(2025, 1, 1);
    let intermediate = Party::signed_by(short, &ca);
    let leaf = Party::signed_by(params(&[HOST]), &intermediate);
    let config = trusting(&ca);
    assert_eq!(ask(&config, HOST, CLOCK - 60 * DAY, &[&leaf, &intermediate]), Ok(()));
    let text = "TLS: issuer's certificate expired on Wed, 01 Jan 2025 00:00:00 GMT, 29 days ago".to_owned();
    assert_eq!(refusal(&config, HOST, CLOCK, &[&leaf, &intermediate]), (Reason::TlsExpired, text));
}

#[test]
fn a_certificate_for_other_names_is_reported_with_them() {
    let ca = Party::ca();
    let config = trusting(&ca);
    for (names, host, text) in [
        (&["a.example", "*.b.example"][..], "c.example", "a.example, *.b.example; not for c.example"),
        (&["*.b.example"], "b.example", "*.b.example; not for b.example"),
        (&["*.b.example"], "x.y.b.example", "*.b.example; not for x.y.b.example"),
        (&["127.0.0.1", "::1"], "127.0.0.2", "127.0.0.1, ::1; not for 127.0.0.2"),
        (&["127.0.0.1"], "a.example", "127.0.0.1; not for a.example"),
        (&["a.example"], "127.0.0.1", "a.example; not for 127.0.0.1; pass its name with --tls-name"),
        (&[], "a.example", "no host (it has no subject alternative name); not for a.example"),
        (
            &["1.example", "2.example", "3.example", "4.example", "5.example", "6.example", "7.example"],
            "a.example",
            "1.example, 2.example, 3.example, 4.example, 5.example and 2 more; not for a.example",
        ),
    ] {
        let leaf = Party::signed_by(params(names), &ca);
        let text = format!("TLS: certificate is for {text}");
        assert_eq!(refusal(&config, host, CLOCK, &[&leaf]), (Reason::TlsName, text));
    }
}

#[test]
fn an_unknown_issuer_is_not_trusted() {
    let ca = Party::ca();
    let stranger = Party::self_signed(ca_params("another CA"));
    let namesake = Party::ca();
    let config = trusting(&ca);
    for (issuer, chained, expected) in [
        (&stranger, false, "issuer is not trusted; pass that of a private CA with --ca-file, or "),
        (
            &stranger,
            true,
            "issuer is not trusted; if it is a private CA, pass its certificate with --ca-file",
        ),
        (&namesake, false, "has a bad signature: it is not from the CA of that name in --ca-file"),
        (&namesake, true, "has a bad signature: it is not from the CA of that name in --ca-file"),
    ] {
        let leaf = Party::signed_by(params(&[HOST]), issuer);
        let chain = if chained { &[&leaf, issuer][..] } else { &[&leaf] };
        let (reason, text) = refusal(&config, HOST, CLOCK, chain);
        assert_eq!(reason, Reason::TlsUntrusted);
        assert!(text.starts_with(&format!("TLS: certificate {expected}")), "{text}");
    }
}

#[test]
fn a_missing_intermediate_certificate_is_suggested() {
    let ca = Party::ca();
    let intermediate = Party::signed_by(ca_params("intermediate"), &ca);
    let leaf = Party::signed_by(params(&[HOST]), &intermediate);
    // Its own certificate again, or one of another chain, does not help.
    let unrelated = Party::self_signed(ca_params("unrelated"));
    for chain in [&[&leaf][..], &[&leaf, &leaf], &[&leaf, &unrelated]] {
        let (_, text) = refusal(&trusting(&ca), HOST, CLOCK, chain);
        assert!(text.ends_with("have the server send its intermediate certificate"), "{text}");
    }
}

#[test]
fn one_of_two_given_cas_of_the_same_name_suffices() {
    let (old, new) = (Party::ca(), Party::ca());
    let config = TlsConfig::new(true, format!("{}{}", old.pem(), new.pem()).as_bytes()).unwrap();
    for ca in [&old, &new] {
        let leaf = Party::signed_by(params(&[HOST]), ca);
        assert_eq!(ask(&config, HOST, CLOCK, &[&leaf]), Ok(()));
    }
}

#[test]
fn a_cross_signed_ca_is_trusted_through_either_root() {
    let (old, new) = (Party::ca(), Party::self_signed(ca_params("new root")));
    let leaf = Party::signed_by(params(&[HOST]), &new);
    let bridge = Party {
        cert: ca_params("new root").signed_by(&new.key, &old.cert, &old.key).unwrap(),
        ..Party::ca()
    };
    for root in [&old, &new] {
        assert_eq!(ask(&trusting(root), HOST, CLOCK, &[&leaf, &bridge]), Ok(()));
        assert_eq!(ask(&trusting(root), HOST, CLOCK, &[&leaf, &new, &bridge]), Ok(()));
    }
}

#[test]
fn a_given_root_with_key_usage_alone_is_a_ca() {
    let mut alone = params(&["root.example"]);
    alone.distinguished_name.push(DnType::CommonName, "root without basic constraints");
    alone.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign];
    let root = Party::self_signed(alone);
    let leaf = Party::signed_by(params(&[HOST]), &root);
    assert_eq!(ask(&trusting(&root), HOST, CLOCK, &[&leaf]), Ok(()));
    assert_eq!(ask(&trusting(&root), HOST, CLOCK, &[&leaf, &root]), Ok(()));
}

#[test]
fn a_given_issuer_that_is_not_a_ca_is_reported_as_such() {
    let mut for_clients = params(&["gadget.example"]);
    for_clients.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
    let mut explicit = params(&["gadget.example"]);
    explicit.is_ca = IsCa::ExplicitNoCa;
    for issuer in [params(&["gadget.example"]), for_clients, explicit] {
        let mut issuer = issuer;
        issuer.distinguished_name.push(DnType::CommonName, "gadget");
        let issuer = Party::self_signed(issuer);
        let leaf = Party::signed_by(params(&[HOST]), &issuer);
        let (reason, text) = refusal(&trusting(&issuer), HOST, CLOCK, &[&leaf]);
        assert_eq!(reason, Reason::TlsUntrusted);
        assert!(text.starts_with("TLS: certificate issuer is in --ca-file, but is not a CA"), "{text}");
    }
}

#[test]
fn a_chain_is_followed() {
    let ca = Party::ca();
    let first = Party::signed_by(ca_params("first"), &ca);
    let second = Party::signed_by(ca_params("second"), &first);
    let leaf = Party::signed_by(params(&[HOST]), &second);
    let config = trusting(&ca);
    assert_eq!(ask(&config, HOST, CLOCK, &[&leaf, &second, &first]), Ok(()));
    assert_eq!(ask(&config, HOST, CLOCK, &[&leaf, &first, &second, &ca]), Ok(()));
    assert_eq!(refusal(&config, HOST, CLOCK, &[&leaf, &first]).0, Reason::TlsUntrusted);
}

#[test]
fn certificates_that_do_not_belong_to_the_chain_are_no_obstacle() {
    let ca = Party::ca();
    let issuer = Party::signed_by(ca_params("issuer"), &ca);
    let leaf = Party::signed_by(params(&[HOST]), &issuer);
    let unrelated_ones: Vec<_> =
        (0..40).map(|n| Party::self_signed(ca_params(&format!("unrelated {n}")))).collect();
    let chain: Vec<_> = [&leaf, &leaf].into_iter().chain(&unrelated_ones).chain([&issuer]).collect();
    assert_eq!(ask(&trusting(&ca), HOST, CLOCK, &chain), Ok(()));
}

#[test]
fn a_chain_of_more_than_six_intermediate_certificates_is_reported_as_such() {
    let mut chain = vec![Party::ca()];
    let ca = trusting(&chain[0]);
    for count in 1..=9 {
        let issuer = Party::signed_by(ca_params(&format!("number {count}")), chain.last().unwrap());
        chain.push(issuer);
        let leaf = Party::signed_by(params(&[HOST]), chain.last().unwrap());
        let sent: Vec<_> = [&leaf].into_iter().chain(chain[1..].iter().rev()).collect();
        if count <= 6 {
            assert_eq!(ask(&ca, HOST, CLOCK, &sent), Ok(()));
            continue;
        }
        let text = "TLS: certificate chain has more than 6 intermediate certificates".to_owned();
        assert_eq!(refusal(&ca, HOST, CLOCK, &sent), (Reason::TlsUntrusted, text));
    }
}

#[test]
fn a_certificate_that_ends_before_it_begins_is_reported_as_expired() {
    let ca = Party::ca();
    let mut reversed = params(&[HOST]);
    (reversed.not_before, reversed.not_after) = (reversed.not_after, reversed.not_before);
    let leaf = Party::signed_by(reversed, &ca);
    let text = "TLS: certificate has expired, or expires before it becomes valid".to_owned();
    assert_eq!(refusal(&trusting(&ca), HOST, CLOCK, &[&leaf]), (Reason::TlsExpired, text));
}

#[test]
fn self_signed_servers_are_refused_unless_given() {
    let trusting_none = TlsConfig::new(true, b"").unwrap();
    let text =
        "TLS: certificate issuer is not trusted: it is self-signed; pass it with --ca-file to trust it"
            .to_owned();
    let mut as_ca = params(&[HOST]);
    as_ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    for params in [params(&[HOST]), as_ca] {
        let party = Party::self_signed(params.clone());
        let twin = Party::self_signed(params);
        assert_eq!(refusal(&trusting_none, HOST, CLOCK, &[&party]), (Reason::TlsUntrusted, text.clone()));
        let config = trusting(&party);
        assert_eq!(ask(&config, HOST, CLOCK, &[&party]), Ok(()));
        assert_eq!(refusal(&config, HOST, CLOCK, &[&twin]).0, Reason::TlsUntrusted);
        // Names and dates count all the same.
        assert_eq!(refusal(&config, "c.example", CLOCK, &[&party]).0, Reason::TlsName);
        assert_eq!(refusal(&config, HOST, END + DAY, &[&party]).0, Reason::TlsExpired);
        assert_eq!(refusal(&config, HOST, DAY, &[&party]).0, Reason::TlsNotYetValid);
    }
}

#[test]
fn a_servers_certificate_can_be_given_whoever_signed_it() {
    let ca = Party::ca();
    let leaf = Party::signed_by(params(&[HOST]), &ca);
    let sibling = Party::signed_by(params(&[HOST]), &ca);
    let config = trusting(&leaf);
    assert_eq!(ask(&config, HOST, CLOCK, &[&leaf]), Ok(()));
    assert_eq!(refusal(&config, HOST, CLOCK, &[&sibling]).0, Reason::TlsUntrusted);
}

#[test]
fn a_given_certificate_without_a_beginning_still_vouches_for_no_other_certificate() {
    // Devices without a clock make certificates that are valid from 1970 on.
    let mut ageless = params(&["gadget.example"]);
    ageless.not_before = date_time_ymd(1970, 1, 1);
    let gadget = Party::self_signed(ageless);
    let forged = Party::signed_by(params(&[HOST]), &gadget);
    let config = trusting(&gadget);
    assert_eq!(ask(&config, "gadget.example", CLOCK, &[&gadget]), Ok(()));
    assert_eq!(refusal(&config, HOST, CLOCK, &[&forged, &gadget]).0, Reason::TlsUntrusted);
}

#[test]
fn a_given_servers_key_vouches_for_no_other_certificate() {
    let gadget = Party::self_signed(params(&["gadget.example"]));
    let forged = Party::signed_by(params(&[HOST]), &gadget);
    let config = trusting(&gadget);
    assert_eq!(refusal(&config, HOST, CLOCK, &[&forged]).0, Reason::TlsUntrusted);
    assert_eq!(refusal(&config, HOST, CLOCK, &[&forged, &gadget]).0, Reason::TlsUntrusted);
}

#[test]
fn several_can_be_given_beside_the_built_in_ones() {
    let (one, two) = (Party::ca(), Party::self_signed(params(&["two.example"])));
    let pem = format!("{}{}{}", one.pem(), two.pem(), one.pem());
    let config = TlsConfig::new(true, pem.as_bytes()).unwrap();
    let leaf = Party::signed_by(params(&[HOST]), &one);
    assert_eq!(ask(&config, HOST, CLOCK, &[&leaf]), Ok(()));
    assert_eq!(ask(&config, "two.example", CLOCK, &[&two]), Ok(()));
}

#[test]
fn purpose_and_authority_count() {
    let ca = Party::ca();
    let config = trusting(&ca);
    let mut for_clients = params(&[HOST]);
    for_clients.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
    let leaf = Party::signed_by(for_clients, &ca);
    let text = "TLS: certificate is not one for servers (its extended key usage lacks server authentication)"
        .to_owned();
    assert_eq!(refusal(&config, HOST, CLOCK, &[&leaf]), (Reason::TlsUntrusted, text));

    let no_ca = Party::signed_by(params(&["b.example"]), &ca);
    let leaf = Party::signed_by(params(&[HOST]), &no_ca);
    assert_eq!(refusal(&config, HOST, CLOCK, &[&leaf, &no_ca]).0, Reason::TlsUntrusted);

    let mut as_ca = ca_params("a CA that serves");
    as_ca.subject_alt_names = params(&[HOST]).subject_alt_names;
    let leaf = Party::signed_by(as_ca, &ca);
    let text =
        "TLS: certificate is refused: ca used as end entity; reissue it for a server, or pass it with --ca-file".to_owned();
    assert_eq!(refusal(&config, HOST, CLOCK, &[&leaf]), (Reason::TlsUntrusted, text));
}

#[test]
fn the_signature_of_the_handshake_counts() {
    let ca = Party::ca();
    let leaf = Party::signed_by(params(&[HOST]), &ca);
    let thief = Party::ca();
    for config in [trusting(&ca), trusting(&leaf)] {
        for version in VERSIONS {
            let mut server = server_with(vec![leaf.cert.der().clone()], thief.signing_key(), version);
            let mut client = client(&config, HOST);
            let failure = converse(&mut client, &mut server, 99, 99).unwrap_err();
            assert_eq!(failure.reason, Reason::TlsUntrusted);
            let text = "TLS: certificate has a bad signature: it does not match the server's key";
            assert_eq!(failure.detail, text);
        }
    }
}

#[test]
fn without_verification_every_certificate_is_accepted() {
    let config = TlsConfig::new(false, b"").unwrap();
    let leaf = Party::signed_by(params(&["other.example"]), &Party::ca());
    for unix in [Duration::ZERO, CLOCK, END + DAY, Duration::from_secs(u64::MAX)] {
        for host in [HOST, "127.0.0.1"] {
            assert_eq!(ask(&config, host, unix, &[&leaf]), Ok(()));
            assert_eq!(ask(&config, host, unix, &[&Party::ca()]), Ok(()));
        }
    }
}

#[test]
fn a_host_that_is_no_name_is_reported_as_far_as_it_matters() {
    for len in [80, 81] {
        let host = format!("-{}", "a".repeat(len - 1));
        let Err(failure) = TlsClient::new(&TlsConfig::new(true, b"").unwrap(), &host, CLOCK) else {
            panic!("{host} is a name")
        };
        let shown = crate::text::printable(&host, 80);
        let text = format!("TLS: no certificate can be for {shown:?}, which is not a host name");
        assert_eq!((failure.reason, failure.detail), (Reason::TlsName, text));
    }
}

#[test]
fn the_end_of_a_certificate_is_known_whatever_becomes_of_it() {
    let ca = Party::ca();
    let mut endless = params(&[HOST]);
    endless.not_after = date_time_ymd(9999, 12, 31);
    let leaves = [Party::signed_by(params(&[HOST]), &ca), Party::signed_by(endless, &ca)];
    let strict = TlsConfig::new(true, b"").unwrap();
    let lax = TlsConfig::new(false, b"").unwrap();
    for (leaf, end) in leaves.iter().zip([END, Duration::from_secs(253_402_214_400)]) {
        for (config, host, unix, ok) in [
            (&trusting(&ca), HOST, CLOCK, true),
            (&trusting(&ca), HOST, Duration::MAX, false),
            (&trusting(&ca), HOST, Duration::ZERO, false),
            (&trusting(&ca), "b.example", CLOCK, false),
            (&strict, HOST, CLOCK, false),
            (&lax, "b.example", Duration::MAX, true),
        ] {
            for version in VERSIONS {
                let mut server = server(leaf, version);
                let mut client = TlsClient::new(config, host, unix).unwrap();
                assert_eq!(client.validity(), None, "nothing has come yet");
                let result = converse(&mut client, &mut server, usize::MAX, usize::MAX);
                assert_eq!(
                    (result.is_ok(), client.validity().map(|validity| validity.not_after)),
                    (ok, Some(end))
                );
            }
        }
    }
}

#[test]
fn a_certificate_that_cannot_be_read_has_no_end() {
    let party = Party::ca();
    let odd = vec![CertificateDer::from(vec![0x30, 3, 2, 1, 1])];
    let mut server = server_with(odd, party.signing_key(), VERSIONS[0]);
    let mut client = client(&trusting(&party), HOST);
    assert!(converse(&mut client, &mut server, usize::MAX, usize::MAX).is_err());
    assert_eq!(client.validity(), None);
}
