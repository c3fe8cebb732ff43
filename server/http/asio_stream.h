// Streams on a socket of Asio's. Slow to compile: for http_server.cc only.
#ifndef BERTHA_SERVER_HTTP_ASIO_STREAM_H_
#define BERTHA_SERVER_HTTP_ASIO_STREAM_H_

#include <openssl/ssl.h>

#include <boost/asio/ip/tcp.hpp>
#include <memory>

#include "server/http/byte_stream.h"

namespace bertha::server {

/// `tls` nullptr: a plain one. nullptr if the socket or OpenSSL fail.
std::unique_ptr<ByteStream> MakeStream(boost::asio::ip::tcp::socket socket, const std::shared_ptr<SSL_CTX>& tls);

}  // namespace bertha::server

#endif  // BERTHA_SERVER_HTTP_ASIO_STREAM_H_
