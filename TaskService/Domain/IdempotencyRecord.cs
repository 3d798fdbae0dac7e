namespace TaskService.Domain;

/// <summary>
/// What came of a create that carried an idempotency key, kept so that a client which did not get the answer can ask
/// again.
/// </summary>
/// <param name="Key">Chosen by the client, 1 to <see cref="TodoListService.KeyCharactersMax"/> characters.</param>
/// <param name="BodyHash">Of what was sent: the same key with something else is a mistake.</param>
/// <param name="TaskId">The task that was made; it may have been changed or deleted since.</param>
/// <param name="Version">The version in which it was made.</param>
/// <param name="Created">When.</param>
internal sealed record IdempotencyRecord(
    string Key, UInt128 BodyHash, string TaskId, TaskVersion Version, DateTimeOffset Created)
{
    public static readonly TimeSpan KeptTime = TimeSpan.FromHours(24);

    public bool IsExpired(DateTimeOffset now) => now - Created >= KeptTime;
}

/// <summary>The key of a create and the hash of what was sent with it.</summary>
internal readonly record struct IdempotencyKey(string Text, UInt128 BodyHash);

/// <summary>What came of a create: the task's id and version, or why it was refused.</summary>
internal readonly record struct CreateOutcome(string TaskId, TaskVersion Version, ErrorKind? Refusal = null);
