using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace TaskService.Tests.Support;

/// <summary>A certificate for localhost that vouches for itself, and its key, in PEM.</summary>
internal sealed record SomeCertificate(string Cert, string Key, string Thumbprint)
{
    /// <param name="from">In days from now.</param>
    /// <param name="until">In days from now.</param>
    public static SomeCertificate Make(int from = -1, int until = 30)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256);
        var now = TimeProvider.System.GetUtcNow();
        using var certificate = request.CreateSelfSigned(now.AddDays(from), now.AddDays(until));
        return new SomeCertificate(
            certificate.ExportCertificatePem(), key.ExportPkcs8PrivateKeyPem(), certificate.Thumbprint);
    }

    public string EncryptedKey()
    {
        using var key = ECDsa.Create();
        key.ImportFromPem(Key);
        return key.ExportEncryptedPkcs8PrivateKeyPem(
            "secret", new PbeParameters(PbeEncryptionAlgorithm.Aes256Cbc, HashAlgorithmName.SHA256, 1));
    }

    public void WriteTo(TemporaryDirectory directory)
    {
        File.WriteAllText(directory.File("cert.pem"), Cert);
        File.WriteAllText(directory.File("key.pem"), Key);
    }
}
