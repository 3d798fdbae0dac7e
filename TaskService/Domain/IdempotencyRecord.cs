namespace TaskService.Domain;

/// <summary>
/// The result of a create that carried an idempotency key, kept so that a client whose response was lost can retry.
/// </summary>
/// <param name="Key">Chosen by the client, behind the scope of its type.</param>
/// <param name="BodyHash">Of the request body: the same key with another body is a mistake of the client.</param>
/// <param name="Id">Of the resource that was created; it may have been changed or deleted since.</param>
/// <param name="Version">The version in which it was created.</param>
/// <param name="Created">Time of the create.</param>
internal sealed record IdempotencyRecord(
    string Key, UInt128 BodyHash, string Id, ContentVersion Version, DateTimeOffset Created)
{
    public static readonly TimeSpan KeptTime = TimeSpan.FromHours(24);

    public bool IsExpired(DateTimeOffset now) => now - Created >= KeptTime;
}

/// <summary>The idempotency key of a create and the hash of the request body.</summary>
internal readonly record struct IdempotencyKey(string Text, UInt128 BodyHash)
{
    public const int CharactersMax = 255;
}

/// <summary>The result of a create: the id and version, or why it was refused.</summary>
internal readonly record struct CreateOutcome(string Id, ContentVersion Version, ErrorKind? Refusal = null);
