//! Envelope (key 58): a broker forwards a client's request to the controller as it came, header and body, together
//! with who sent it, and gets the response back the same way (KIP-590).

use crate::wire::schema::message;

message! {
    /// A request forwarded to the controller on behalf of a client.
    envelope_request::EnvelopeRequest: versions 0..=0, flexible 0 {
        /// The embedded request header and data.
        request_data: Bytes [always()],
        /// On whose behalf.
        request_principal: Option<Bytes> [always().nullable()] = Some(Bytes::new()),
        /// The original client's address in bytes.
        client_host_address: Bytes [always()],
    }
}

message! {
    /// The response to the forwarded request, or why it was not handled.
    envelope_response::EnvelopeResponse: versions 0..=0, flexible 0 {
        /// The embedded response header and data.
        response_data: Option<Bytes> [always().nullable()] = None,
        /// The error code, or 0 if there was no error.
        error_code: i16 [always()],
    }
}
