//! Every error of the TLS library, from lists that are compared with its source.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use rustls::Error as LibraryError;
use rustls::pki_types::{ServerName, UnixTime};
use rustls::{
    AlertDescription, CertRevocationListError, CertificateError, ContentType, EncryptedClientHelloError,
    ExtendedKeyPurpose, HandshakeType, InvalidMessage, OtherError, PeerIncompatible, PeerMisbehaved,
};

use super::*;

/// The name of a variant: that of the innermost one for errors that hold others.
fn name(error: &dyn Debug) -> String {
    let text = format!("{error:?}");
    text.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default().to_owned()
}

fn alerts() -> Vec<AlertDescription> {
    (0..=255).map(AlertDescription::from).collect()
}

fn invalid_messages() -> Vec<InvalidMessage> {
    use InvalidMessage::*;
    vec![
        CertificatePayloadTooLarge,
        HandshakePayloadTooLarge,
        InvalidCcs,
        InvalidContentType,
        InvalidCertificateStatusType,
        InvalidCertRequest,
        InvalidDhParams,
        InvalidEmptyPayload,
        InvalidKeyUpdate,
        InvalidServerName,
        MessageTooLarge,
        MessageTooShort,
        MissingData("SignatureScheme"),
        MissingKeyExchange,
        NoSignatureSchemes,
        TrailingData("ServerHello"),
        UnexpectedMessage("CertificateVerify"),
        UnknownProtocolVersion,
        UnsupportedCompression,
        UnsupportedCurveType,
        EmptyTicketValue,
        IllegalEmptyList("KeyShareEntries"),
        IllegalEmptyValue,
        DuplicateExtension(0x1234),
        PreSharedKeyIsNotFinalExtension,
        UnknownHelloRetryRequestExtension,
        UnknownCertificateExtension,
    ]
}

#[rustfmt::skip]
fn misbehaviours() -> Vec<PeerMisbehaved> {
    use PeerMisbehaved::*;
    vec![
        AttemptedDowngradeToTls12WhenTls13IsSupported, BadCertChainExtensions, CipherSuiteDifferedOnRetry,
        DisallowedEncryptedExtension, DuplicateClientHelloExtensions, DuplicateEncryptedExtensions,
        DuplicateHelloRetryRequestExtensions, DuplicateNewSessionTicketExtensions,
        DuplicateServerHelloExtensions, DuplicateServerNameTypes, EarlyDataAttemptedInSecondClientHello,
        EarlyDataExtensionWithoutResumption, EarlyDataOfferedWithVariedCipherSuite,
        EchAcceptanceVariedAfterRetry, HandshakeHashVariedAfterRetry, IllegalHelloRetryRequestWithEmptyCookie,
        IllegalHelloRetryRequestWithNoChanges, IllegalHelloRetryRequestWithOfferedGroup,
        IllegalHelloRetryRequestWithUnofferedCipherSuite, IllegalHelloRetryRequestWithUnofferedNamedGroup,
        IllegalHelloRetryRequestWithUnsupportedVersion, IllegalHelloRetryRequestWithWrongSessionId,
        IllegalHelloRetryRequestWithInvalidEch, IllegalMiddleboxChangeCipherSpec, IllegalTlsInnerPlaintext,
        IncorrectBinder, InvalidCertCompression, InvalidMaxEarlyDataSize, InvalidKeyShare,
        KeyEpochWithPendingFragment, KeyUpdateReceivedInQuicConnection,
        MessageInterleavedWithHandshakeMessage, MissingBinderInPskExtension, MissingKeyShare,
        MissingPskExtensionInSecondClientHello, MissingPskModesExtension, MissingQuicTransportParameters,
        OfferedDuplicateCertificateCompressions, OfferedDuplicateKeyShares,
        OfferedEarlyDataWithOldProtocolVersion, OfferedEmptyApplicationProtocol, OfferedIncorrectCompressions,
        PskExtensionMustBeLast, PskExtensionWithMismatchedIdsAndBinders, RefusedToFollowHelloRetryRequest,
        RejectedEarlyDataInterleavedWithHandshakeMessage, ResumptionAttemptedWithVariedEms,
        ResumptionOfferedWithVariedCipherSuite, ResumptionOfferedWithVariedEms,
        ResumptionOfferedWithIncompatibleCipherSuite, SelectedDifferentCipherSuiteAfterRetry,
        SelectedInvalidPsk, SelectedTls12UsingTls13VersionExtension, SelectedUnofferedApplicationProtocol,
        SelectedUnofferedCertCompression, SelectedUnofferedCipherSuite, SelectedUnofferedCompression,
        SelectedUnofferedKxGroup, SelectedUnofferedPsk, SelectedUnusableCipherSuiteForVersion,
        ServerEchoedCompatibilitySessionId, ServerHelloMustOfferUncompressedEcPoints,
        ServerNameDifferedOnRetry, ServerNameMustContainOneHostName, SignedKxWithWrongAlgorithm,
        SignedHandshakeWithUnadvertisedSigScheme, TooManyEmptyFragments, TooManyKeyUpdateRequests,
        TooManyRenegotiationRequests, TooManyWarningAlertsReceived, TooMuchEarlyDataReceived,
        UnexpectedCleartextExtension, UnsolicitedCertExtension, UnsolicitedEncryptedExtension,
        UnsolicitedSctList, UnsolicitedServerHelloExtension, WrongGroupForKeyShare, UnsolicitedEchExtension,
    ]
}

fn incompatibilities() -> Vec<PeerIncompatible> {
    use PeerIncompatible::*;
    vec![
        EcPointsExtensionRequired,
        ExtendedMasterSecretExtensionRequired,
        IncorrectCertificateTypeExtension,
        KeyShareExtensionRequired,
        NamedGroupsExtensionRequired,
        NoCertificateRequestSignatureSchemesInCommon,
        NoCipherSuitesInCommon,
        NoEcPointFormatsInCommon,
        NoKxGroupsInCommon,
        NoSignatureSchemesInCommon,
        NullCompressionRequired,
        ServerDoesNotSupportTls12Or13,
        ServerSentHelloRetryRequestWithUnknownExtension,
        ServerTlsVersionIsDisabledByOurConfig,
        SignatureAlgorithmsExtensionRequired,
        SupportedVersionsExtensionRequired,
        Tls12NotOffered,
        Tls12NotOfferedOrEnabled,
        Tls13RequiredForQuic,
        UncompressedEcPointsRequired,
        UnsolicitedCertificateTypeExtension,
        ServerRejectedEncryptedClientHello(None),
    ]
}

#[allow(deprecated)]
fn certificate_errors() -> Vec<CertificateError> {
    use CertificateError::*;
    let at = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
    let (time, not_before, not_after, next_update) = (at(86_400), at(99_999), at(4), at(5));
    let names = |presented: &[&str]| NotValidForNameContext {
        expected: ServerName::try_from("b.example").unwrap(),
        presented: presented.iter().map(|name| (*name).to_owned()).collect(),
    };
    let purposes = |presented| InvalidPurposeContext { required: ExtendedKeyPurpose::ServerAuth, presented };
    vec![
        BadEncoding,
        Expired,
        ExpiredContext { time, not_after },
        NotValidYet,
        NotValidYetContext { time, not_before },
        Revoked,
        UnhandledCriticalExtension,
        UnknownIssuer,
        UnknownRevocationStatus,
        ExpiredRevocationList,
        ExpiredRevocationListContext { time, next_update },
        BadSignature,
        UnsupportedSignatureAlgorithm,
        UnsupportedSignatureAlgorithmContext { signature_algorithm_id: vec![], supported_algorithms: vec![] },
        UnsupportedSignatureAlgorithmForPublicKeyContext {
            signature_algorithm_id: vec![6, 1],
            public_key_algorithm_id: vec![6, 1],
        },
        NotValidForName,
        names(&[]),
        names(&["DnsName(\"a.example\")", "IpAddress(10.0.0.1)", "DirectoryName", "Unsupported(0x86)"]),
        InvalidPurpose,
        purposes(vec![]),
        purposes(vec![ExtendedKeyPurpose::ClientAuth, ExtendedKeyPurpose::Other(vec![1, 2])]),
        InvalidOcspResponse,
        ApplicationVerificationFailure,
        Other(OtherError(Arc::new(std::fmt::Error))),
    ]
}

#[allow(deprecated)]
fn list_errors() -> Vec<CertRevocationListError> {
    use CertRevocationListError::*;
    vec![
        BadSignature,
        UnsupportedSignatureAlgorithm,
        UnsupportedSignatureAlgorithmContext { signature_algorithm_id: vec![], supported_algorithms: vec![] },
        UnsupportedSignatureAlgorithmForPublicKeyContext {
            signature_algorithm_id: vec![],
            public_key_algorithm_id: vec![],
        },
        InvalidCrlNumber,
        InvalidRevokedCertSerialNumber,
        IssuerInvalidForCrl,
        Other(OtherError(Arc::new(std::fmt::Error))),
        ParseError,
        UnsupportedCrlVersion,
        UnsupportedCriticalExtension,
        UnsupportedDeltaCrl,
        UnsupportedIndirectCrl,
        UnsupportedRevocationReason,
    ]
}

pub(super) fn errors() -> Vec<LibraryError> {
    use LibraryError::*;
    let unexpected = (ContentType::Alert, HandshakeType::ServerHello);
    let mut errors = vec![
        InappropriateMessage { expect_types: vec![ContentType::Handshake], got_type: unexpected.0 },
        InappropriateHandshakeMessage { expect_types: vec![HandshakeType::Finished], got_type: unexpected.1 },
        NoCertificatesPresented,
        UnsupportedNameType,
        DecryptError,
        EncryptError,
        General("Some(InternalDetail)".to_owned()),
        FailedToGetCurrentTime,
        FailedToGetRandomBytes,
        HandshakeNotComplete,
        PeerSentOversizedRecord,
        NoApplicationProtocol,
        BadMaxFragmentSize,
        InconsistentKeys(rustls::InconsistentKeys::KeyMismatch),
        InconsistentKeys(rustls::InconsistentKeys::Unknown),
        Other(OtherError(Arc::new(std::fmt::Error))),
        InvalidEncryptedClientHello(EncryptedClientHelloError::InvalidConfigList),
        InvalidEncryptedClientHello(EncryptedClientHelloError::NoCompatibleConfig),
        InvalidEncryptedClientHello(EncryptedClientHelloError::SniRequired),
    ];
    errors.extend(invalid_messages().into_iter().map(InvalidMessage));
    errors.extend(misbehaviours().into_iter().map(PeerMisbehaved));
    errors.extend(incompatibilities().into_iter().map(PeerIncompatible));
    errors.extend(alerts().into_iter().map(AlertReceived));
    errors.extend(certificate_errors().into_iter().map(InvalidCertificate));
    errors.extend(list_errors().into_iter().map(InvalidCertRevocationList));
    errors
}

/// Where the source of a dependency is.
pub(super) fn source(package: &str) -> PathBuf {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version",
            "1",
            "--offline",
            "--locked",
            "--filter-platform",
            "x86_64-unknown-linux-gnu",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let found = packages.iter().find(|found| found["name"] == package).unwrap();
    PathBuf::from(found["manifest_path"].as_str().unwrap()).with_file_name("src")
}

/// The variants that a source file declares for an enum.
pub(super) fn declared(file: &PathBuf, of: &str) -> BTreeSet<String> {
    let source = std::fs::read_to_string(file).unwrap();
    let (_, body) = source.split_once(&format!("pub enum {of} {{\n")).unwrap();
    let indent = body.len() - body.trim_start().len();
    let end = format!("\n{}}}", " ".repeat(indent - 4));
    let (body, _) = body.split_once(&end).unwrap();
    let lines = body.lines().filter_map(|line| line.strip_prefix(&" ".repeat(indent)));
    let names = lines.filter(|line| line.starts_with(|c: char| c.is_ascii_uppercase()));
    names.map(|line| name(&Verbatim(line))).collect()
}

/// Text whose `Debug` is the text.
pub(super) struct Verbatim<'a>(pub(super) &'a str);

impl Debug for Verbatim<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl std::fmt::Display for Verbatim<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Verbatim<'_> {}

fn names<T: Debug>(errors: &[T]) -> BTreeSet<String> {
    errors.iter().map(|error| name(error)).collect()
}

#[test]
fn no_error_of_the_library_is_missing_from_these_tests() {
    let rustls = source("rustls");
    let file = rustls.join("error.rs");
    for (of, tested) in [
        ("Error", names(&errors())),
        ("CertificateError", names(&certificate_errors())),
        ("PeerMisbehaved", names(&misbehaviours())),
        ("PeerIncompatible", names(&incompatibilities())),
        ("CertRevocationListError", names(&list_errors())),
        ("InconsistentKeys", ["KeyMismatch", "Unknown"].map(String::from).into()),
        (
            "EncryptedClientHelloError",
            ["InvalidConfigList", "NoCompatibleConfig", "SniRequired"].map(String::from).into(),
        ),
    ] {
        assert_eq!(declared(&file, of), tested, "{of}");
    }
    // Holds a type that the library keeps to itself.
    let mut messages = declared(&file, "InvalidMessage");
    assert!(messages.remove("UnsupportedKeyExchangeAlgorithm"));
    assert_eq!(messages, names(&invalid_messages()));
    let known: BTreeSet<_> = alerts().iter().filter_map(|alert| alert.as_str()).map(str::to_owned).collect();
    let declared: BTreeSet<_> = declared(&rustls.join("enums.rs"), "AlertDescription");
    assert_eq!(declared, known);
}
