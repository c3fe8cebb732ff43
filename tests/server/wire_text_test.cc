#include "server/wire_text.h"

#include <random>
#include <string>

#include "bertha/v1/bertha.pb.h"
#include "tests/server/fixture.h"

namespace bertha::server {
namespace {

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

/// A length-delimited field, as it stands on the wire.
std::string Field(int number, const std::string& content) {
  std::string out(1, static_cast<char>(number << 3 | 2));
  out.push_back(static_cast<char>(content.size()));
  return out + content;
}

template <class Message>
absl::Status Explain(const std::string& bytes) {
  return ExplainUndecodable(*Message::descriptor(), bytes);
}

TEST_CASE("InvalidUtf8IsNamedByFieldIndexAndByte") {
  const std::string good = Field(3, Field(1, "fine"));
  CHECK(Is(Explain<v1::ClassifyRequest>(good + Field(3, Field(1, "ab\xff"))), kInvalid,
           "inputs[1].text: invalid UTF-8 at byte 2"));
  CHECK(Is(Explain<v1::ClassifyRequest>(Field(3, Field(1, "a") + Field(2, "\xc0"))), kInvalid,
           "inputs[0].text_pair: invalid UTF-8 at byte 0"));
  CHECK(Is(Explain<v1::AnswerRequest>(Field(3, Field(1, "a")) + Field(3, Field(2, "b\xff"))), kInvalid,
           "inputs[1].context: invalid UTF-8 at byte 1"));
  CHECK(Is(Explain<v1::EmbedRequest>(Field(5, "\xff")), kInvalid, "version_label: invalid UTF-8 at byte 0"));
  CHECK(Is(Explain<v1::ClassifyRequest>(Field(1, "\xed\xa0\x80")), kInvalid, "model: invalid UTF-8 at byte 0"));
}

TEST_CASE("AStreamRequestKeepsItsId") {
  const std::string bytes = std::string("\x08\x2a", 2) + Field(2, Field(3, Field(1, "\xfe")));
  CHECK(Is(Explain<v1::StreamClassifyRequest>(bytes), kInvalid, "request.inputs[0].text: invalid UTF-8 at byte 0"));
  CHECK(IdOfUndecodable(bytes) == 42);
}

TEST_CASE("WhatIsNoMessageIsCalledSo") {
  CHECK(Is(Explain<v1::ClassifyRequest>("\x1a\x7f"), kInvalid, "cut off"));
  CHECK(Is(Explain<v1::ClassifyRequest>("\xff\xff\xff\xff\xff\xff"), kInvalid, "no protobuf message"));
}

TEST_CASE("RandomBytesNeverCrashAndAlwaysGetAnAnswer") {
  std::mt19937 random(7);
  for (int i = 0; i < 20000; ++i) {
    std::string bytes(random() % 40, '\0');
    for (char& c : bytes) c = static_cast<char>(random());
    if (random() % 2) bytes = Field(3, bytes);
    CHECK(Explain<v1::ClassifyRequest>(bytes).code() == kInvalid);
    CHECK(Explain<v1::StreamClassifyRequest>(bytes).code() == kInvalid);
    CHECK(Explain<v1::AnswerRequest>(bytes).code() == kInvalid);
    IdOfUndecodable(bytes);
  }
}

}  // namespace
}  // namespace bertha::server
