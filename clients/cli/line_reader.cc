#include "clients/cli/line_reader.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/string_view.h"

namespace bertha::cli {
namespace {
constexpr size_t kReadBytes = 64 * 1024;
constexpr absl::string_view kByteOrderMark = "\xEF\xBB\xBF";
}  // namespace

absl::StatusOr<bool> LineReader::Fill() {
  buffer_.erase(0, position_);
  searched_ -= position_;
  position_ = 0;
  const size_t old_size = buffer_.size();
  buffer_.resize(old_size + kReadBytes);
  ssize_t got;
  do {
    got = read(fd_, buffer_.data() + old_size, kReadBytes);
  } while (got < 0 && errno == EINTR);
  const int error = errno;
  buffer_.resize(old_size + (got > 0 ? static_cast<size_t>(got) : 0));
  if (got < 0) return absl::ErrnoToStatus(error, "read");
  at_end_ = got == 0;
  return !at_end_;
}

size_t LineReader::FindLineEnd() {
  const size_t end = buffer_.find('\n', searched_);
  searched_ = std::min(end, buffer_.size());
  return end;
}

absl::StatusOr<bool> LineReader::Next(Line* line) {
  line->text.clear();
  line->size = 0;
  bool skipping = false;
  size_t end;
  while ((end = FindLineEnd()) == std::string::npos && !at_end_) {
    if (skipping || buffer_.size() - position_ > max_line_bytes_ + 2) {  // 2: a line end may follow
      skipping = true;
      line->size += buffer_.size() - position_;
      position_ = buffer_.size();
    }
    const auto more = Fill();
    if (!more.ok()) return more.status();
  }
  const bool ended = end != std::string::npos;
  if (!ended) end = buffer_.size();
  absl::string_view text(buffer_.data() + position_, end - position_);
  const uint64_t raw_size = line->size + text.size();
  if (!ended && raw_size == 0) return false;

  if (consumed_ == 0 && !skipping && absl::StartsWith(text, kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  if (absl::EndsWith(text, "\r")) text.remove_suffix(1);
  line->size += text.size();
  if (!skipping && line->size <= max_line_bytes_) line->text.assign(text.data(), text.size());
  position_ = end + (ended ? 1 : 0);
  searched_ = position_;
  consumed_ += raw_size + (ended ? 1 : 0);
  return true;
}

bool LineReader::WouldBlock() {
  while (!at_end_ && FindLineEnd() == std::string::npos) {
    pollfd ready{.fd = fd_, .events = POLLIN, .revents = 0};
    if (poll(&ready, 1, 0) == 0) return true;
    if (buffer_.size() - position_ > max_line_bytes_) return false;  // Next skips it; do not gather it here
    if (!Fill().ok()) return false;                                  // Next meets the same error and reports it
  }
  return false;
}

}  // namespace bertha::cli
