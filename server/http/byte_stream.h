// A connection's bytes, plain or through TLS, without waiting: every call does what it can at once and says what it
// would have to wait for.
//
// Nothing refers to a caller's memory between calls, so an idle connection needs no buffer.
//
// Thread-safety: thread-compatible; used by the thread of its loop only.
#ifndef BERTHA_SERVER_HTTP_BYTE_STREAM_H_
#define BERTHA_SERVER_HTTP_BYTE_STREAM_H_

#include <cstddef>
#include <functional>
#include <string>

#include "absl/strings/string_view.h"

namespace bertha::server {

class ByteStream {
 public:
  enum class Result { kDone, kWantRead, kWantWrite, kEnd, kFailed };
  struct Io {
    Result result;
    size_t bytes = 0;  // with kDone, at least 1
  };

  virtual ~ByteStream() = default;
  /// Before the first Read; until it is kDone.
  virtual Result Handshake() = 0;
  virtual Io Read(char* buffer, size_t size) = 0;
  /// A part of `first` and, behind it, of `second`. After kWantRead or kWantWrite the same bytes must come again.
  virtual Io Write(absl::string_view first, absl::string_view second) = 0;
  /// There are bytes to Read that no wait would tell of.
  virtual bool HasBuffered() const = 0;
  /// `ready` is called once, later, on the loop's thread; also when the stream is closed. One wait for each direction.
  virtual void WaitRead(std::function<void()> ready) = 0;
  virtual void WaitWrite(std::function<void()> ready) = 0;
  /// The other end sees the end of the stream, and may go on sending.
  virtual void ShutdownWrite() = 0;
  virtual void Close() = 0;
  /// Subject of the client's certificate; empty if there is none. After the handshake.
  virtual std::string CertificateSubject() const = 0;
};

}  // namespace bertha::server

#endif  // BERTHA_SERVER_HTTP_BYTE_STREAM_H_
