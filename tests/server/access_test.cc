#include "server/access.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/retry_after.h"
#include "tests/batcher/fakes.h"
#include "tests/catch.h"

namespace bertha::server {
namespace {

using absl::StatusCode;
constexpr char kShop[] = "0123456789abcdef", kOps[] = "fedcba9876543210";

std::string ErrorOf(absl::string_view text) { return std::string(ParseTokens(text, "t").status().message()); }

class TokensFile {
 public:
  explicit TokensFile(absl::string_view text) { Write(text); }
  ~TokensFile() { Remove(); }
  void Write(absl::string_view text) {
    Remove();
    std::ofstream(path_) << std::string(text);
    chmod(path_.c_str(), 0600);
  }
  void Remove() { std::filesystem::remove(path_); }
  const std::string& path() const { return path_; }

 private:
  static std::string NewPath() {
    static int number = 0;
    return (std::filesystem::temp_directory_path() / absl::StrCat("bertha_tokens_", getpid(), "_", number++)).string();
  }
  const std::string path_ = NewPath();
};

struct Fixture {
  explicit Fixture(absl::string_view tokens, RateLimiter::Options rate = {})
      : file(tokens), access(Access::Open({.tokens_file = file.path(), .rate = rate}, clock).value()) {}
  absl::StatusOr<std::string> Check(Scope scope, absl::string_view token, absl::string_view address = "10.0.0.1",
                                    Listener listener = Listener::kMain) {
    return access->Check(scope, listener, absl::StrCat("Bearer ", token), address);
  }
  batcher::FakeClock clock;
  TokensFile file;
  std::unique_ptr<Access> access;
};

std::string TwoTokens() { return absl::StrCat("shop infer,feedback ", kShop, "\nops infer,admin ", kOps, "\n"); }

TEST_CASE("ATokensFileHasCommentsHashesAndScopes") {
  const auto tokens = ParseTokens(
      "# all\r\n\n shop\tinfer,feedback 0123456789abcdef\nops admin "
      "sha256:5c1b0a3bd0e1c5d7a3a7f5e8c2d4b6f80123456789abcdef0123456789ABCDEF\n",
      "t");
  REQUIRE(tokens.ok());
  REQUIRE(tokens->size() == 2);
  CHECK(tokens->at(0).name == "shop");
  CHECK(tokens->at(0).digest == Sha256("0123456789abcdef"));
  CHECK(tokens->at(0).Allows(Scope::kInfer));
  CHECK(tokens->at(0).Allows(Scope::kFeedback));
  CHECK_FALSE(tokens->at(0).Allows(Scope::kAdmin));
  CHECK(tokens->at(1).Allows(Scope::kAdmin));
  CHECK_FALSE(tokens->at(1).Allows(Scope::kInfer));
}

TEST_CASE("ABrokenTokensFileIsRefusedWithItsLineAndWithoutTheToken") {
  const struct {
    std::string text, expected;
  } cases[] = {
      {"a infer\n", "t, line 1: expected NAME SCOPES TOKEN, got 2 fields"},
      {"# c\n\na infer secretsecretsecret extra\n", "t, line 3: expected NAME SCOPES TOKEN, got 4 fields"},
      {"a/b infer secretsecretsecret\n", "t, line 1: the name"},
      {"a secretsecretsecret infer\n", "t, line 1: the second field names a scope"},
      {"a infer, secretsecretsecret\n", "t, line 1: the second field names a scope"},
      {"a infer secretsecretsec\n", "t, line 1: the token has less than 16 characters"},
      {"a infer sha256:secretsecretsecret\n", "t, line 1: after sha256:"},
      {"a infer secretsecretsecret\xc3\xa4\n", "t, line 1: the token has characters"},
      {"a infer secretsecretsecret1\na infer secretsecretsecret2\n", "t, line 2: there is a token named a already"},
      {"a infer secretsecretsecret\nb admin secretsecretsecret\n", "t, line 2: this token is there already"},
  };
  for (const auto& c : cases) {
    const bool short_token = absl::StrContains(c.text, "secretsecretsec\n");
    CHECK_THAT(ErrorOf(short_token ? "a infer secret\n" : c.text), Catch::StartsWith(c.expected));
    CHECK_FALSE(absl::StrContains(ErrorOf(c.text), "secret"));
  }
}

TEST_CASE("ATokenLetsInForItsScopesOnly") {
  Fixture f(TwoTokens());
  CHECK(f.Check(Scope::kInfer, kShop).value() == "shop");
  CHECK(f.Check(Scope::kFeedback, kShop).value() == "shop");
  CHECK(f.Check(Scope::kAdmin, kOps).value() == "ops");
  CHECK(f.Check(Scope::kAdmin, kOps, "10.0.0.1", Listener::kAdmin).value() == "ops");
  for (const Listener listener : {Listener::kMain, Listener::kAdmin}) {
    const absl::Status refused = f.Check(Scope::kAdmin, kShop, "10.0.0.1", listener).status();
    CHECK(refused.code() == StatusCode::kPermissionDenied);
    CHECK_THAT(std::string(refused.message()), Catch::Contains("\"shop\" does not have the scope admin"));
  }
}

TEST_CASE("AMissingAndAWrongTokenAreRefusedAlike") {
  Fixture f(TwoTokens());
  const absl::Status missing = f.access->Check(Scope::kInfer, Listener::kMain, "", "a").status();
  CHECK(missing.code() == StatusCode::kUnauthenticated);
  for (const char* sent : {"Bearer", "Bearer ", "Bearer 0123456789abcdee", "Basic 0123456789abcdef", kShop,
                           "Bearer 0123456789abcdef0", "Bearer 0123456789abcde"}) {
    CHECK(f.access->Check(Scope::kInfer, Listener::kMain, sent, "a").status() == missing);
  }
  CHECK(f.access->Check(Scope::kInfer, Listener::kMain, "bearer  0123456789abcdef ", "a").ok());
}

TEST_CASE("WithoutATokensFileOnlyAdminCallsAreRefusedAndNotOnTheAdminListener") {
  const batcher::FakeClock clock;
  const auto access = Access::Open({}, clock).value();
  CHECK(access->Check(Scope::kInfer, Listener::kMain, "", "a").value().empty());
  CHECK(access->Check(Scope::kFeedback, Listener::kMain, "Bearer whatever", "a").ok());
  const absl::Status refused = access->Check(Scope::kAdmin, Listener::kMain, "", "a").status();
  CHECK(refused ==
        absl::PermissionDeniedError("admin calls are answered on the admin listener (admin.address), not here"));
  CHECK(access->Check(Scope::kAdmin, Listener::kAdmin, "", "a").ok());
}

TEST_CASE("AChangedTokensFileTakesEffectAfterASecond") {
  Fixture f(TwoTokens());
  f.file.Write(absl::StrCat("ops infer ", kOps, "\n"));
  CHECK(f.Check(Scope::kInfer, kShop).ok());
  f.clock.Advance(std::chrono::seconds(1));
  CHECK(f.Check(Scope::kInfer, kShop).status().code() == StatusCode::kUnauthenticated);
  CHECK(f.Check(Scope::kInfer, kOps).ok());
}

TEST_CASE("ABrokenOrMissingNewTokensFileKeepsTheOldTokens") {
  Fixture f(TwoTokens());
  const auto still_works = [&] {
    f.clock.Advance(std::chrono::seconds(1));
    return f.Check(Scope::kInfer, kShop).ok();
  };
  f.file.Write("nonsense\n");
  CHECK(still_works());
  f.file.Write("# nobody\n");
  CHECK(still_works());
  f.file.Remove();
  CHECK(still_works());
  f.file.Write(absl::StrCat("ops infer ", kOps, "\n"));
  CHECK_FALSE(still_works());
}

TEST_CASE("ADaemonDoesNotStartWithoutGoodTokens") {
  const batcher::FakeClock clock;
  CHECK_FALSE(Access::Open({.tokens_file = "/nowhere/tokens"}, clock).ok());
  const TokensFile empty("# nobody\n");
  CHECK_FALSE(Access::Open({.tokens_file = empty.path()}, clock).ok());
}

TEST_CASE("ARefusalForTheRateCarriesTheTimeToWait") {
  Fixture f(TwoTokens(), {.per_second = 4, .burst = 2});
  CHECK(f.Check(Scope::kInfer, kShop, "a").ok());
  CHECK(f.Check(Scope::kFeedback, kShop, "b").ok());
  const absl::Status refused = f.Check(Scope::kInfer, kShop, "c").status();
  CHECK(refused.code() == StatusCode::kResourceExhausted);
  CHECK(CarriedRetryAfterMs(refused) == 250);
  CHECK(f.Check(Scope::kInfer, kOps, "a").ok());
  f.clock.Advance(std::chrono::milliseconds(249));
  CHECK(CarriedRetryAfterMs(f.Check(Scope::kInfer, kShop).status()) == 1);
  f.clock.Advance(std::chrono::milliseconds(1));
  CHECK(f.Check(Scope::kInfer, kShop).ok());
}

TEST_CASE("GuessesOfTokensAreCountedByAddressAndAdminCallsAreNot") {
  Fixture f(TwoTokens(), {.per_second = 1, .burst = 3});
  for (int i = 0; i < 3; ++i) CHECK(f.Check(Scope::kInfer, "guess").status().code() == StatusCode::kUnauthenticated);
  CHECK(f.Check(Scope::kInfer, "guess").status().code() == StatusCode::kResourceExhausted);
  CHECK(f.Check(Scope::kInfer, "guess", "10.0.0.2").status().code() == StatusCode::kUnauthenticated);
  for (int i = 0; i < 10; ++i) CHECK(f.Check(Scope::kAdmin, kOps).ok());
}

TEST_CASE("AnIpv6CustomerIsOneClient") {
  const batcher::FakeClock clock;
  const auto access = Access::Open({.rate = {.per_second = 1, .burst = 1}}, clock).value();
  CHECK(access->Count("", "2001:db8:1:2::1").ok());
  CHECK_FALSE(access->Count("", "2001:db8:1:2:ffff::9").ok());
  CHECK(access->Count("", "2001:db8:1:3::1").ok());
  CHECK(access->Count("", "10.0.0.1").ok());
  CHECK(access->Count("", "10.0.0.2").ok());
  CHECK_FALSE(access->Count("", "10.0.0.2").ok());
  CHECK(access->Count("10.0.0.2", "10.0.0.2").ok());  // a token by that name is somebody else
}

}  // namespace
}  // namespace bertha::server
