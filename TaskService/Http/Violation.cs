namespace TaskService.Http;

/// <summary>What is wrong with one place of a document.</summary>
/// <param name="Pointer">RFC 6901; empty for the whole document.</param>
/// <param name="Message">In words that follow the name of the place.</param>
internal readonly record struct Violation(string Pointer, string Message)
{
    /// <summary>How many are reported at most.</summary>
    public const int ItemsMax = 100;

    /// <summary>The pointer to a member of the document.</summary>
    public static string PointerTo(string member) =>
        "/" + member.Replace("~", "~0", StringComparison.Ordinal).Replace("/", "~1", StringComparison.Ordinal);
}
