namespace TaskService.Acceptance.Contract;

/// <summary>Something that holds for every implementation of <c>docs/http.md</c>.</summary>
/// <param name="Text">What holds, in one line.</param>
/// <param name="CheckAsync">
/// Throws <see cref="AcceptanceException"/> when it does not hold, <see cref="NotCheckedException"/> when this service
/// cannot show it.
/// </param>
internal sealed record Statement(string Text, Func<ContractSession, Task> CheckAsync);

/// <summary>A statement cannot be checked here.</summary>
/// <param name="why">In one line.</param>
internal sealed class NotCheckedException(string why) : Exception(why);

internal enum Verdict
{
    Holds,
    Fails,
    NotChecked,
}

/// <param name="Text">Of the statement.</param>
/// <param name="Verdict">On it.</param>
/// <param name="Why">In one line; empty for what holds.</param>
/// <param name="Exchange">The request and the response that show it; empty when there are none.</param>
internal sealed record Finding(string Text, Verdict Verdict, string Why = "", string Exchange = "");
