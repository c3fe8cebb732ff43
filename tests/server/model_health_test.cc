#include "server/model_health.h"

#include "tests/batcher/fakes.h"
#include "tests/catch.h"

namespace bertha::server {
namespace {

using batcher::Duration;
using batcher::Priority;
using batcher::TimePoint;
using std::chrono::milliseconds;
using std::chrono::seconds;

const absl::Status kRight = absl::OkStatus();
const absl::Status kFault = absl::InternalError("bad weather\nand more");
const absl::Status kWrong = absl::FailedPreconditionError("off by 3");
const absl::Status kNoAnswer = absl::UnavailableError("refused");

struct Fixture {
  void Pass(const absl::Status& status, Duration time = milliseconds(1), int times = 1) {
    for (int i = 0; i < times; ++i) health.OnPass(status, time);
  }
  void Canary(const absl::Status& found) {
    health.BeginCanary();
    health.OnCanary(found);
  }
  bool well() const { return health.Judge().ok; }
  std::string why() const { return health.Judge().reason; }
  /// Until the next probe is due.
  Duration Due(bool spare = true) const { return health.CanaryDue(spare) - clock.Now(); }

  batcher::FakeClock clock;
  int rings = 0;
  ModelHealth health{
      {.max_age = seconds(30), .max_faults = 3, .canary_interval = seconds(20), .on_trouble = [this] { ++rings; }},
      clock};
};

TEST_CASE("AModelServesWhileItsLastSuccessIsYoung") {
  Fixture f;
  CHECK(f.well());
  f.clock.Advance(seconds(30));
  CHECK(f.well());
  CHECK(f.health.StaleAt() == f.clock.Now() + Duration(1));
  f.clock.Advance(Duration(1));
  CHECK(f.why() == "no forward pass has succeeded for 30.0 s");
  f.Pass(kRight);
  CHECK(f.well());
  CHECK(f.rings == 0);  // a success takes nobody's time
}

TEST_CASE("PassesThatTakeLongMayBeThatMuchOlder") {
  Fixture f;
  f.Pass(kRight, seconds(13));
  f.clock.Advance(seconds(43));
  CHECK(f.well());
  f.clock.Advance(seconds(1));
  CHECK_FALSE(f.well());
  f.Pass(kRight, std::chrono::hours(1));  // as when the process was stopped: it counts a minute
  f.clock.Advance(seconds(91));
  CHECK_FALSE(f.well());
}

TEST_CASE("FaultsInARowTurnItOffAndAsManySuccessesOnAgain") {
  Fixture f;
  f.Pass(kFault, milliseconds(1), 2);
  CHECK(f.well());
  CHECK(f.rings == 1);  // at the first one: a probe may find out more
  f.Pass(kFault);
  CHECK(f.why() == "3 forward passes in a row failed, the last: bad weather");
  CHECK(f.rings == 2);
  f.Pass(kFault, milliseconds(1), 2);
  CHECK(f.why() == "5 forward passes in a row failed, the last: bad weather");
  CHECK(f.rings == 2);
  f.Pass(kRight, milliseconds(1), 2);
  CHECK_FALSE(f.well());
  f.Pass(kFault);
  f.Pass(kRight, milliseconds(1), 2);
  CHECK_FALSE(f.well());
  f.Pass(kRight);
  CHECK(f.well());
  CHECK(f.rings == 4);
}

TEST_CASE("FaultsWithSuccessesBetweenThemAreTheirRequestsOwn") {
  Fixture f;
  for (int i = 0; i < 100; ++i) {
    f.Pass(kFault, milliseconds(1), 2);
    f.Pass(kRight);
    CHECK(f.well());
  }
}

TEST_CASE("APassThatDoesNotReturnTurnsItOffUntilAnotherOneSucceeds") {
  Fixture f;
  f.health.OnStuck();
  CHECK(f.rings == 1);
  CHECK(f.why() == "a forward pass does not return");
  f.health.OnReturned();
  CHECK_FALSE(f.well());  // it came too late: that is no success
  f.Pass(kRight);
  CHECK(f.well());
  f.health.OnReturned();  // the worker was faster than the watchdog's word
  f.health.OnStuck();
  CHECK(f.well());
}

TEST_CASE("AWrongAnswerTurnsItOffWhateverElseSucceeds") {
  Fixture f;
  f.Canary(kRight);
  CHECK(f.well());
  f.Canary(kWrong);
  CHECK(f.why() == "a probe gets a wrong answer: off by 3");
  f.Pass(kRight, milliseconds(1), 10);
  CHECK_FALSE(f.well());
  f.Canary(kRight);
  f.Canary(kNoAnswer);  // proves nothing either way
  f.Canary(kRight);
  CHECK_FALSE(f.well());
  f.Canary(kRight);
  CHECK(f.well());
  f.Canary(kWrong);
  f.Canary(kRight);
  f.Canary(kRight);
  f.Canary(kWrong);
  f.Canary(kRight);
  CHECK_FALSE(f.well());
}

TEST_CASE("AnIdleModelIsAskedAfterAThirdOfTheAgeAndABusyOneAtTheInterval") {
  Fixture f;
  CHECK(f.Due() == seconds(10));
  f.clock.Advance(seconds(9));
  f.Pass(kRight);
  CHECK(f.Due() == seconds(10));
  f.clock.Advance(seconds(9));
  f.Pass(kRight);
  CHECK(f.Due() == seconds(2));  // 20 s after it was loaded
  f.clock.Advance(seconds(2));
  f.health.BeginCanary();
  CHECK(f.health.CanaryDue(true) == TimePoint::max());
  f.Pass(kRight);
  f.health.OnCanary(kRight);
  CHECK(f.Due() == seconds(10));
}

TEST_CASE("AModelInTroubleIsAskedSeveralTimesASecond") {
  Fixture f;
  f.clock.Advance(seconds(1));
  f.Pass(kFault);
  CHECK(f.Due() < Duration(0));  // now
  f.Canary(kNoAnswer);
  CHECK(f.Due() == milliseconds(250));
  f.Pass(kRight);
  CHECK(f.Due() == seconds(10));
  f.Canary(kWrong);
  CHECK(f.Due() == milliseconds(250));
  f.Pass(kRight, seconds(1));
  f.Canary(kWrong);
  CHECK(f.Due() == seconds(4));  // a slow one not for more than a fifth of the time
}

TEST_CASE("AProbeThatFindsNoPlaceIsTriedAgainAndInTheEndFirst") {
  Fixture f;
  f.clock.Advance(seconds(10));
  CHECK(f.health.CanaryPriority() == Priority::kBatch);
  f.Canary(kNoAnswer);
  CHECK(f.Due() == milliseconds(250));
  f.clock.Advance(seconds(10) + milliseconds(1));
  CHECK(f.health.CanaryPriority() == Priority::kHigh);
  CHECK(f.health.CanaryPatience() == seconds(10));
  f.Pass(kRight);
  CHECK(f.health.CanaryPriority() == Priority::kBatch);
}

TEST_CASE("ProbesDoNotTakeTheWorkersOfOtherModels") {
  Fixture f;
  f.clock.Advance(seconds(1));
  f.health.OnStuck();
  CHECK(f.Due() < Duration(0));  // another worker may show that the model is well
  f.health.OnStuck();
  CHECK(f.health.CanaryDue(true) == TimePoint::max());
  CHECK(f.Due(/*spare=*/false) < Duration(0));  // nothing is left to spare
  f.health.OnReturned();
  CHECK(f.Due() < Duration(0));
}

TEST_CASE("TimeInWhichTheProcessStoodStillDoesNotCount") {
  Fixture f;
  f.clock.Advance(std::chrono::hours(1));
  CHECK_FALSE(f.well());
  f.health.Forgive(std::chrono::hours(1));
  CHECK(f.well());
  f.clock.Advance(seconds(31));
  CHECK_FALSE(f.well());
}

}  // namespace
}  // namespace bertha::server
