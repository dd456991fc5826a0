#include "nfsteer/failover.hpp"

namespace nfsteer {

const char* name(Failover failover) noexcept {
  switch (failover) {
    case Failover::None:
      return "none";
    case Failover::Immediate:
      return "immediate";
    case Failover::Delayed:
      return "delayed";
    case Failover::Probe:
      return "probe";
  }
  return "";
}

const char* name(FailoverReason reason) noexcept {
  switch (reason) {
    case FailoverReason::CheckFailed:
      return "check-failed";
    case FailoverReason::CheckPassed:
      return "check-passed";
    case FailoverReason::Ejected:
      return "ejected";
    case FailoverReason::Returned:
      return "returned";
    case FailoverReason::LastUsable:
      return "last-usable";
    case FailoverReason::EjectionLimit:
      return "ejection-limit";
    case FailoverReason::Panic:
      return "panic";
    case FailoverReason::PanicOver:
      return "panic-over";
    case FailoverReason::Tier:
      return "tier";
    case FailoverReason::ProberSuspected:
      return "prober-suspected";
    case FailoverReason::ProberTrusted:
      return "prober-trusted";
    case FailoverReason::ChecksSkipped:
      return "checks-skipped";
  }
  return "";
}

}  // namespace nfsteer
