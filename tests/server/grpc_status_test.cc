#include "server/grpc_status.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "tests/catch.h"

namespace bertha::server {
namespace {

std::string Repeated(absl::string_view text, size_t times) {
  std::string all;
  for (size_t i = 0; i < times; ++i) absl::StrAppend(&all, text);
  return all;
}

std::string MessageOf(absl::string_view message) { return ToGrpc(absl::NotFoundError(message)).error_message(); }

TEST_CASE("AStatusKeepsItsCodeAndAMessageThatFits") {
  CHECK(ToGrpc(absl::OkStatus()).ok());
  const grpc::Status status = ToGrpc(absl::NotFoundError("no model"));
  CHECK(status.error_code() == grpc::StatusCode::NOT_FOUND);
  CHECK(status.error_message() == "no model");
  CHECK(MessageOf(Repeated("m", 2048)) == Repeated("m", 2048));
}

TEST_CASE("AMessageThatClientsWouldRefuseIsCutAtACharacter") {
  CHECK(MessageOf(Repeated("m", 2049)) == absl::StrCat(Repeated("m", 2045), "..."));
  CHECK(MessageOf(Repeated("\u00e9", 2000)) == absl::StrCat(Repeated("\u00e9", 1022), "..."));
  CHECK(MessageOf(Repeated("\U0001F600", 2000)) == absl::StrCat(Repeated("\U0001F600", 511), "..."));
  CHECK(MessageOf(Repeated("\x80", 5000)) == "...");
}

}  // namespace
}  // namespace bertha::server
