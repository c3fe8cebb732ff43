#include "server/http/asio_stream.h"

#include <openssl/err.h>
#include <openssl/x509.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <utility>

namespace bertha::server {
namespace {

namespace asio = boost::asio;
using Socket = asio::ip::tcp::socket;

class SocketStream : public ByteStream {
 public:
  explicit SocketStream(Socket socket) : socket_(std::move(socket)) {}

  void WaitRead(std::function<void()> ready) override { Wait(Socket::wait_read, std::move(ready)); }
  void WaitWrite(std::function<void()> ready) override { Wait(Socket::wait_write, std::move(ready)); }
  void ShutdownWrite() override {
    boost::system::error_code ignored;
    socket_.shutdown(Socket::shutdown_send, ignored);
  }
  void Close() override {
    boost::system::error_code ignored;
    socket_.close(ignored);
  }

 protected:
  int fd() { return socket_.native_handle(); }

 private:
  void Wait(Socket::wait_type what, std::function<void()> ready) {
    socket_.async_wait(what, [ready = std::move(ready)](boost::system::error_code) { ready(); });
  }

  Socket socket_;
};

class PlainStream final : public SocketStream {
 public:
  using SocketStream::SocketStream;

  Result Handshake() override { return Result::kDone; }
  bool HasBuffered() const override { return false; }
  std::string CertificateSubject() const override { return ""; }

  Io Read(char* buffer, size_t size) override {
    ssize_t n;
    do {
      n = recv(fd(), buffer, size, 0);
    } while (n < 0 && errno == EINTR);
    if (n > 0) return {Result::kDone, static_cast<size_t>(n)};
    if (n == 0) return {Result::kEnd};
    return {errno == EAGAIN || errno == EWOULDBLOCK ? Result::kWantRead : Result::kFailed};
  }

  Io Write(absl::string_view first, absl::string_view second) override {
    iovec parts[2] = {{const_cast<char*>(first.data()), first.size()},
                      {const_cast<char*>(second.data()), second.size()}};
    msghdr message = {};
    message.msg_iov = parts;
    message.msg_iovlen = 2;
    ssize_t n;
    do {
      n = sendmsg(fd(), &message, MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    if (n >= 0) return {Result::kDone, static_cast<size_t>(n)};
    return {errno == EAGAIN || errno == EWOULDBLOCK ? Result::kWantWrite : Result::kFailed};
  }
};

struct FreeSsl {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
};

class TlsStream final : public SocketStream {
 public:
  TlsStream(Socket socket, SSL* ssl) : SocketStream(std::move(socket)), ssl_(ssl) { SSL_set_fd(ssl, fd()); }

  Result Handshake() override { return ResultOf(SSL_do_handshake(ssl_.get())); }
  bool HasBuffered() const override { return SSL_has_pending(ssl_.get()) == 1; }

  Io Read(char* buffer, size_t size) override {
    const int n = SSL_read(ssl_.get(), buffer, Clamp(size));
    return {ResultOf(n), static_cast<size_t>(std::max(n, 0))};
  }

  Io Write(absl::string_view first, absl::string_view second) override {
    const absl::string_view part = first.empty() ? second : first;
    const int n = SSL_write(ssl_.get(), part.data(), Clamp(part.size()));
    return {ResultOf(n), static_cast<size_t>(std::max(n, 0))};
  }

  void ShutdownWrite() override {
    if (SSL_is_init_finished(ssl_.get()) && !failed_) SSL_shutdown(ssl_.get());
    ERR_clear_error();
    SocketStream::ShutdownWrite();
  }

  std::string CertificateSubject() const override {
    X509* certificate = SSL_get_peer_certificate(ssl_.get());
    if (!certificate) return "";
    BIO* out = BIO_new(BIO_s_mem());
    X509_NAME_print_ex(out, X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253);
    char* text = nullptr;
    const long size = BIO_get_mem_data(out, &text);
    std::string subject(text, static_cast<size_t>(size));
    BIO_free(out);
    X509_free(certificate);
    return subject;
  }

 private:
  static int Clamp(size_t size) { return static_cast<int>(std::min<size_t>(size, std::numeric_limits<int>::max())); }

  Result ResultOf(int returned) {
    if (returned > 0) return Result::kDone;
    const int error = SSL_get_error(ssl_.get(), returned);
    ERR_clear_error();  // the queue belongs to the thread, hence to the next connection too
    if (error == SSL_ERROR_WANT_READ) return Result::kWantRead;
    if (error == SSL_ERROR_WANT_WRITE) return Result::kWantWrite;
    if (error == SSL_ERROR_ZERO_RETURN) return Result::kEnd;
    failed_ = true;
    return Result::kFailed;
  }

  const std::unique_ptr<SSL, FreeSsl> ssl_;
  bool failed_ = false;
};

}  // namespace

std::unique_ptr<ByteStream> MakeStream(Socket socket, const std::shared_ptr<SSL_CTX>& tls) {
  boost::system::error_code error;
  socket.native_non_blocking(true, error);
  if (error) return nullptr;
  socket.set_option(asio::ip::tcp::no_delay(true), error);
  if (!tls) return std::make_unique<PlainStream>(std::move(socket));
  SSL* ssl = SSL_new(tls.get());
  if (!ssl) return nullptr;
  SSL_set_accept_state(ssl);
  return std::make_unique<TlsStream>(std::move(socket), ssl);
}

}  // namespace bertha::server
