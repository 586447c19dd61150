"""The one place that pairs a domain error with an HTTP status."""

from accounts import errors as accounts
from accounts.errors import DomainError
from consumers import errors as consumers
from observability import errors as observability
from streams import errors as streams

STATUS_OF: dict[type[DomainError], int] = {
    # who are you, and may you
    accounts.InvalidCredentials: 401,
    accounts.CredentialsMissing: 401,
    accounts.AmbiguousCredentials: 400,
    accounts.AddressNotAllowed: 403,
    accounts.LoginThrottled: 429,
    accounts.SessionNotFound: 404,
    accounts.WrongPassword: 422,
    accounts.WeakPassword: 422,
    accounts.ScopeMissing: 403,
    # Named in a body, by an admin: the address exists.
    accounts.UserNotFound: 422,
    accounts.UnknownTeam: 422,
    accounts.TeamNotFound: 404,
    accounts.TeamExists: 409,
    accounts.TeamOwns: 409,
    accounts.TooManyMembers: 409,
    accounts.PreconditionFailed: 412,
    accounts.GrantNotFound: 404,
    accounts.GrantUseless: 422,
    accounts.TooManyGrants: 409,
    accounts.RateLimited: 429,
    accounts.QuotaExceeded: 507,
    accounts.ApiKeyNotFound: 404,
    accounts.ApiKeyRevoked: 409,
    # the request
    accounts.InvalidIdempotencyKey: 400,
    accounts.IdempotencyKeyReused: 422,
    accounts.IdempotencyInProgress: 409,
    accounts.UnknownField: 422,
    accounts.TooManyValues: 422,
    accounts.UnusableFields: 422,
    accounts.InvalidParameter: 422,
    accounts.InvalidJson: 400,
    accounts.InvalidUtf8: 400,
    accounts.InvalidUnicode: 400,
    accounts.TooDeep: 400,
    accounts.EmptyBody: 400,
    accounts.ExpectedObject: 400,
    accounts.BodyTruncated: 400,
    accounts.LengthRequired: 411,
    accounts.PayloadTooLarge: 413,
    accounts.BodyTooSlow: 408,
    accounts.TooManySlowBodies: 429,
    accounts.UnsupportedMediaType: 415,
    accounts.NotAcceptable: 406,
    accounts.UnsupportedCharset: 415,
    accounts.UnsupportedEncoding: 415,
    accounts.BrokenEncoding: 400,
    # streams
    streams.MoveUnderWay: 409,
    streams.MoveRefused: 409,
    streams.NoMoveUnderWay: 409,
    streams.StreamNotFound: 404,
    streams.StreamExists: 409,
    streams.HeadMoved: 412,
    streams.HeadNotOfOne: 422,
    streams.StreamPaused: 409,
    streams.StreamRecreated: 409,
    streams.InvalidName: 422,
    streams.ReservedName: 422,
    streams.ConfirmationMissing: 422,
    streams.PartitionNotFound: 404,
    streams.PartitionRequired: 422,
    streams.PartitionsOnlyAdded: 422,
    streams.EventNotFound: 404,
    streams.EventExpired: 410,
    streams.InvalidEvents: 422,
    streams.InvalidPayloads: 422,
    streams.InvalidSchema: 422,
    streams.IncompatibleSchema: 409,
    streams.SchemaNotFound: 404,
    streams.TooManySchemas: 409,
    streams.NothingToInferFrom: 409,
    streams.PartitionGone: 404,
    streams.AppendNotStored: 503,
    streams.AppendOutcomeUnknown: 503,
    streams.LogUnavailable: 503,
    streams.TopicUnavailable: 503,
    streams.StreamQuarantined: 503,
    streams.NotOffered: 422,
    # Named in a body.
    streams.StreamReadOnly: 409,
    streams.UnknownEngine: 422,
    streams.EngineRefuses: 409,
    streams.MirrorNotFound: 404,
    streams.MoveNotFound: 404,
    streams.MirrorExists: 409,
    streams.TooManyMirrors: 409,
    streams.MirrorUseless: 409,
    streams.InvalidTopic: 422,
    # consumer groups
    consumers.ConsumerGroupNotFound: 404,
    consumers.ConsumerGroupExists: 409,
    consumers.WrongMode: 409,
    consumers.MoreThanLost: 422,
    consumers.OffsetBeyondHead: 422,
    consumers.InvalidCopy: 422,
    consumers.GroupPaused: 409,
    consumers.TooManyWaiting: 429,
    consumers.LeaseLost: 409,
    consumers.OffsetNotInDelivery: 422,
    consumers.DeliveryNotFound: 404,
    consumers.DeliveryNotWaiting: 409,
    consumers.DeliveryNotLeased: 409,
    # dead letters
    consumers.DeadLetterNotFound: 404,
    consumers.DeadLetterNotOpen: 409,
    consumers.DeadLetterWithoutEvent: 410,
    consumers.EventErased: 409,
    consumers.BulkActionNotFound: 404,
    consumers.BulkActionFinished: 409,
    # simulations
    observability.InvalidTemplate: 422,
    observability.SimulationNotFound: 404,
    # alerts
    observability.AlertRuleNotFound: 404,
    observability.AlertChannelNotFound: 404,
    observability.AlertChannelInUse: 409,
    observability.AlertTestUnderWay: 409,
}

# Worth sending again as it is; everything else needs a change first.
RETRYABLE_STATUSES = frozenset({408, 429, 500, 502, 503, 504})
RETRYABLE_ERRORS = (accounts.IdempotencyInProgress,)


def status_of(error: DomainError) -> int:
    """Return the status of a domain error, by its class or the nearest of its ancestors."""
    for kind in type(error).__mro__:
        if kind in STATUS_OF:
            return STATUS_OF[kind]
    raise AssertionError(f"{type(error).__name__} has no status: add it to STATUS_OF")
