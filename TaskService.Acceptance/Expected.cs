namespace TaskService.Acceptance;

/// <summary>What a response must be. A status alone converts to it.</summary>
/// <param name="Statuses">One of these.</param>
internal sealed record Expected(params IReadOnlyList<int> Statuses)
{
    public const string Json = "application/json";

    /// <summary>
    /// The media type of a body below status 400, without its parameters; null for any. An error is always
    /// <c>application/problem+json</c>.
    /// </summary>
    public string? ContentType { get; init; } = Json;

    /// <summary>Whether caches may keep it: <c>Cache-Control</c> is not checked then.</summary>
    public bool MayBeCached { get; init; }

    /// <summary>The <c>message</c> of a problem; null for any.</summary>
    public string? Message { get; init; }

    public static implicit operator Expected(int status) => new(status);

    public static Expected Problem(int status, string message) => new(status) { Message = message };
}
