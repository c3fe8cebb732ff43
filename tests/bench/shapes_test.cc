#include "bench/encoder/shapes.h"

#include <algorithm>
#include <fstream>
#include <string>

#include "tests/catch.h"
#include "tests/models/support.h"

namespace bertha::bench {
namespace {

TEST_CASE("a shape is sequences x tokens", "[shapes]") {
  const auto shape = ParseShape("8x128");
  REQUIRE(shape.ok());
  CHECK(shape->name == "8x128");
  CHECK(shape->lengths == std::vector<int32_t>(8, 128));
  CHECK(shape->tokens() == 1024);
  CHECK(shape->padded_tokens() == 1024);
}

TEST_CASE("what is no shape is refused by name", "[shapes]") {
  for (const char* text :
       {"", "8", "8x", "x8", "0x8", "8x0", "-1x8", "8x8x8", "8X8", "1048577x1", "2048x1024", "8x1.5"}) {
    INFO(text);
    const auto shape = ParseShape(text);
    REQUIRE_FALSE(shape.ok());
    CHECK(shape.status().message().find("\"" + std::string(text) + "\" is no shape") != absl::string_view::npos);
  }
}

TEST_CASE("each line of lengths is a batch", "[shapes]") {
  const models::TempDir folder;
  models::WriteFile(folder / "lengths", "3 5\r\n\n  7\t \n");
  const auto shapes = ReadLengths(folder / "lengths");
  REQUIRE(shapes.ok());
  REQUIRE(shapes->size() == 2);
  CHECK((*shapes)[0].name == "line 1");
  CHECK((*shapes)[0].lengths == std::vector<int32_t>{3, 5});
  CHECK((*shapes)[0].tokens() == 8);
  CHECK((*shapes)[0].padded_tokens() == 10);
  CHECK((*shapes)[1].name == "line 3");
  CHECK((*shapes)[1].lengths == std::vector<int32_t>{7});
}

TEST_CASE("a line that is no lengths is named", "[shapes]") {
  const models::TempDir folder;
  models::WriteFile(folder / "lengths", "3 5\n3 x\n");
  CHECK(ReadLengths(folder / "lengths").status().message() == folder / "lengths, line 2: \"x\" is no length");
  models::WriteFile(folder / "empty", "\n");
  CHECK(ReadLengths(folder / "empty").status().message() == folder / "empty: no lengths in it");
  CHECK(ReadLengths(folder / "none").status().code() == absl::StatusCode::kNotFound);
}

TEST_CASE("a batch has its lengths, no padding, and is the same every time", "[shapes]") {
  const models::Manifest manifest = {.padding = {.id = 1}};
  const Batch batch = MakeBatch({3, 500}, 4, manifest);
  CHECK(batch.cu_seqlens == std::vector<int32_t>{0, 3, 503});
  CHECK(batch.type_ids == std::vector<int32_t>(503, 0));
  CHECK(batch.ids == MakeBatch({3, 500}, 4, manifest).ids);
  for (const int32_t id : {0, 2, 3}) CHECK(std::ranges::count(batch.ids, id) > 0);
  CHECK(std::ranges::all_of(batch.ids, [](int32_t id) { return id >= 0 && id < 4 && id != 1; }));
}

}  // namespace
}  // namespace bertha::bench
