using TaskService.Domain;

namespace TaskService.Api;

/// <summary>
/// What an endpoint answers. How it travels (negotiation, headers that all share, problem bodies) is decided in one
/// place.
/// </summary>
internal readonly record struct Answer
{
    public const string Json = "application/json; charset=utf-8";

    public required int Status { get; init; }

    /// <summary>The whole body; empty when there is none, or when it is streamed.</summary>
    public ReadOnlyMemory<byte> Body { get; init; }

    public string? ContentType { get; init; }

    /// <summary>Tasks to stream as the body.</summary>
    public IAsyncEnumerable<StoredTask>? Tasks { get; init; }

    /// <summary>The version of the task in the body, or of the one just made.</summary>
    public TaskVersion? Version { get; init; }

    public string? Location { get; init; }

    /// <summary>The methods that the resource has.</summary>
    public string? Allow { get; init; }

    /// <summary>What went wrong; the body is made of it.</summary>
    public Problem? Problem { get; init; }

    /// <summary>
    /// Whether the endpoint has sent it by the means of the framework, so that nothing is left to do.
    /// </summary>
    public bool IsSent { get; init; }

    public static Answer NoContent { get; } = new() { Status = StatusCodes.Status204NoContent };

    public static implicit operator Answer(Problem problem) => new() { Status = problem.Status, Problem = problem };
}
