namespace TaskService.Api;

/// <summary>
/// What an endpoint answers. How it travels (negotiation, conditions, headers that all share, problem bodies) is
/// decided in one place.
/// </summary>
internal readonly record struct Answer
{
    public required int Status { get; init; }

    /// <summary>A whole JSON body; null when there is none.</summary>
    public ReadOnlyMemory<byte>? Body { get; init; }

    /// <summary>A body that is streamed, since it is too large to be sent whole.</summary>
    public TaskListBody? Tasks { get; init; }

    /// <summary>The version of what the body says, or of the task that was just made.</summary>
    public UInt128? Tag { get; init; }

    public string? Location { get; init; }

    /// <summary>Where the next page is.</summary>
    public string? Link { get; init; }

    /// <summary>The methods that the resource has.</summary>
    public string? Allow { get; init; }

    /// <summary>What can be sent in a patch, when something else was.</summary>
    public string? AcceptPatch { get; init; }

    /// <summary>What went wrong; the body is made of it.</summary>
    public Problem? Problem { get; init; }

    /// <summary>What was thrown, if that is why it is this answer.</summary>
    public Exception? Exception { get; init; }

    /// <summary>
    /// Whether the endpoint has sent it by the means of the framework, so that nothing is left to do.
    /// </summary>
    public bool IsSent { get; init; }

    public static Answer NoContent { get; } = new() { Status = StatusCodes.Status204NoContent };

    public static implicit operator Answer(Problem problem) => new() { Status = problem.Status, Problem = problem };
}
